"""What the user configured: a TOML file, read into a frozen record.

The screen, the console and the command line go by it; a session never does, and neither
does anything that has to come out the same for everybody. What the screen remembers
from one day to the next is state, and another file (`lapis_tui.kept`).

A value that cannot be is as none, and is told with file and line. Nothing here loads
the engine or a terminal library.
"""
