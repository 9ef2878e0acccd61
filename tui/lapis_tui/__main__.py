"""`python -m lapis_tui`, and the program `lapis`."""

from __future__ import annotations

import sys

from lapis_tui import ending, garbage
from lapis_tui.cli import main as cli
from lapis_tui.cli import streams


def main() -> int:
    """Be the program `lapis`; return its status, or die of the signal that ended it."""
    garbage.starting()
    streams.fill()
    return ending.leave(cli.main())


if __name__ == "__main__":
    sys.exit(main())
