"""Doing again what was done: entries, checkpoints, and hashes over the state."""
