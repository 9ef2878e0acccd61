"""What the screen is drawn with where there is no more than ASCII: one table.

Panes draw in Unicode, each glyph in one cell. Whether the terminal gets those or what
stands for them here is chosen once, at the start, by `wants_ascii`.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICE: Final = "LAPIS_ASCII"
"""Name in the environment: 1 for ASCII, 0 for Unicode, whatever the locale says."""
ASCII: Final[Mapping[str, str]] = {
    # Rules and frames; a heavy one is of the pane in focus.
    "─": "-", "━": "=", "═": "=", "┄": "~", "│": "|", "┃": "|", "║": "|", "╵": "'",
    "├": "[", "┤": "]", "┬": "Y", "└": "`", "▔": "-", "▁": "-", "▊": "|", "▎": "|",
    # Bars, light to full.
    "░": ".", "▒": "-", "▓": "#", "█": "#",
    # Signs.
    "→": ">", "←": "<", "↑": "^", "↓": "v", "↕": ":", "▼": "V", "▶": ">", "▸": ")",
    "«": "<", "»": ">", "●": "o", "■": "#", "◆": "*", "·": ".", "✓": "+", "✎": '"',
    "…": "~", "🔎": "/ ",
}  # fmt: skip
"""In as many cells as the glyph has."""
FRAMES: Final = range(0x2500, 0x2580)
"""Box drawing: a corner or a joint is a + where the table has nothing else."""
UNKNOWN: Final = "?"


def in_ascii(text: str) -> str:
    """Return `text` in ASCII, cell by cell.

    >>> in_ascii("├─·─┤ 100% … ╭╮"), in_ascii(chr(0x4E2D))
    ('[-.-] 100% ~ ++', '??')
    """
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _glyph(char) for char in text)


def _glyph(char: str) -> str:
    if char in ASCII:
        return ASCII[char]
    return "+" if ord(char) in FRAMES else UNKNOWN * cell_len(char)


def is_chosen(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment says which it is to be."""
    return environ.get(CHOICE) in {"0", "1"}


def wants_ascii(environ: Mapping[str, str], encoding: str | None) -> bool:
    """Tell whether a terminal gets ASCII: by choice, else by encoding and locale.

    `encoding` is that of the stream which the terminal is behind; it alone does not
    tell, for Python takes UTF-8 where the locale is C (PEP 540).
    """
    if is_chosen(environ):
        return environ[CHOICE] == "1"
    named = (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, named), "C")
    characters = locale.partition("@")[0].rpartition(".")[2]
    return not (_is_utf8(encoding or "") and _is_utf8(characters))


def environment() -> Mapping[str, str]:
    """Return the environment as the user has it, as far as the system tells.

    Where the locale is C, Python sets LC_CTYPE for itself (PEP 538); without `/proc`
    that cannot be told from the user's own.
    """
    try:
        raw = Path("/proc/self/environ").read_bytes()
    except OSError:
        return os.environ
    texts = (os.fsdecode(each).partition("=") for each in raw.split(b"\0"))
    return {name: value for name, _, value in texts}


def _is_utf8(name: str) -> bool:
    try:
        return codecs.lookup(name).name == "utf-8"
    except LookupError:
        return False
