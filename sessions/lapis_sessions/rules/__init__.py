"""Rules that answer requests: what they look like, what they match, who keeps them.

They belong to the user and not to the machine. What a rule answers goes through the
machine's own acts, and is recorded as if it had been typed.
"""
