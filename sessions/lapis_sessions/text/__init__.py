"""What the user types: numbers, ranges and expressions."""
