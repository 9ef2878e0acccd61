"""A recording as a session, and what a replay comes to."""
