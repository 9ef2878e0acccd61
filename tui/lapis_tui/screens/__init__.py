"""What fills the terminal: the main screen and the dialogs."""
