"""Figures against a ceiling measured in the same process."""
