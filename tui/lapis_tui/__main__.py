"""`python -m lapis_tui`, and the program `lapis`."""

from __future__ import annotations

import sys

from lapis_tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
