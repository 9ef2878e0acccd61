"""Parts of a pane, made of text alone."""
