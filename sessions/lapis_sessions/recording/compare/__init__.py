"""Two recordings, and where they first differ."""
