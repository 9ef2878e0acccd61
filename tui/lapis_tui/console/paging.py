"""Long results, in the pager that the user has."""

from __future__ import annotations

import os
import pydoc
import shutil
from typing import Final

OPTIONS: Final = "-RFX"
"""Of `less`, where the user has chosen none: colours, and no pager for one screen."""


def is_long(text: str) -> bool:
    """Tell whether a text has more rows than the terminal."""
    size = shutil.get_terminal_size()
    rows = sum(1 + len(row) // max(size.columns, 1) for row in text.splitlines())
    return rows > size.lines - 3


def show(text: str) -> None:
    """Show a text, which is fit for a terminal, until the user has read it."""
    os.environ.setdefault("LESS", OPTIONS)
    pydoc.pager(text)
