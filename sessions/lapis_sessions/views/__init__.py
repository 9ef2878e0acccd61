"""One file a subject: what the user is shown of it, as data and in words."""
