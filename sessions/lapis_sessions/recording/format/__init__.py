"""The file: chunks, rows, and who reads and writes them."""
