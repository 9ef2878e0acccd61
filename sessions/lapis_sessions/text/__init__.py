"""What the user types, numbers and expressions, and what is fit to be shown."""
