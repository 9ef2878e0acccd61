"""Scripts that torture recordings for longer than the suite does, and their slices."""
