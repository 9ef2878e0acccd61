"""Guests that tests boot: our own in assembly, and a table of real ones (`real`)."""
