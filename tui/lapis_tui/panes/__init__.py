"""One pane, one file: a pure `render` function and the widget that shows it."""
