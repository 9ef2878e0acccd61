"""A recording made of others: cut, merged, packed, annotated."""
