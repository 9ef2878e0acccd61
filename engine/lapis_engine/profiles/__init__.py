"""Whose behaviour a machine shows: the switches, and the profiles that set them."""
