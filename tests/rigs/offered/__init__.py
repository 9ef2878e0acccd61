"""Every instruction once, by form and mode, and whether a model has it."""
