"""The front ends: the `lapis` command, the Textual application, its panes."""
