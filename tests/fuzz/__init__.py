"""The emulator against the processor itself, on random instructions."""
