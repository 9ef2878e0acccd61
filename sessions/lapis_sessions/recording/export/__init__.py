"""A recording for other programs."""
