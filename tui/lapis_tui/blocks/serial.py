"""A serial terminal in the small: what a guest prints, as rows of text and a cursor.

A part of ECMA-48 that shells, boot loaders and firmware use: cursor moves, erasing,
scrolling. Colours are left out, and so is all that `guest_text` does not let through:
nothing here answers a guest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_tui.guest_text import Filter

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS: Final = 80
ROWS: Final = 25
HISTORY: Final = 1000
"""Rows above the screen that are kept."""
TAB: Final = 8
_SEQUENCE: Final = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
MOST: Final = 9999
"""Of a parameter."""


class Serial:
    """The screen that the bytes of one port have made."""

    def __init__(self) -> None:
        """Have printed nothing."""
        self.history: list[str] = []
        """Rows that have scrolled away, oldest first."""
        self._rows = [""] * ROWS
        self.row = self.column = 0
        """Where the cursor is, from 0; the column may be behind the last."""
        self._filter = Filter(is_terminal=True)

    @property
    def rows(self) -> list[str]:
        """All rows, those that have scrolled away first, to the last that is used."""
        used = [n for n, row in enumerate(self._rows) if row.rstrip()]
        last = max(used[-1] if used else 0, self.row)
        return [*self.history, *(row.rstrip() for row in self._rows[: last + 1])]

    def feed(self, data: bytes) -> None:
        """Take what the guest printed next."""
        text = self._filter.feed(data)
        at = 0
        for found in _SEQUENCE.finditer(text):
            self._put(text[at : found.start()])
            self._obey(found[1], found[2])
            at = found.end()
        self._put(text[at:])

    def _put(self, text: str) -> None:
        for char in text:
            match char:
                case "\n":
                    self._down()
                case "\r":
                    self.column = 0
                case "\b":
                    self.column = max(self.column - 1, 0)
                case "\t":
                    self.column = min(self.column // TAB * TAB + TAB, COLUMNS - 1)
                case _:
                    self._write(char)

    def _write(self, char: str) -> None:
        if self.column >= COLUMNS:
            self.column = 0
            self._down()
        row = self._rows[self.row].ljust(self.column)
        self._rows[self.row] = row[: self.column] + char + row[self.column + 1 :]
        self.column += 1

    def _down(self) -> None:
        if self.row < ROWS - 1:
            self.row += 1
            return
        self.history.append(self._rows.pop(0).rstrip())
        del self.history[:-HISTORY]
        self._rows.append("")

    def _obey(self, given: str, final: str) -> None:
        """Do a sequence; one that is not known does nothing (as colours)."""
        numbers = [min(int(part or 0), MOST) for part in given.split(";")]
        move = MOVES.get(final)
        if move is not None:
            move(self, numbers)

    # What sequences do: `n` are their parameters, at least one.

    def _go(self, row: int, column: int) -> None:
        self.row = min(max(row, 0), ROWS - 1)
        self.column = min(max(column, 0), COLUMNS - 1)

    def _position(self, n: list[int]) -> None:
        self._go(n[0] - 1, (n[1] if len(n) > 1 else 1) - 1)

    def _erase_line(self, n: list[int]) -> None:
        row, at = self._rows[self.row], self.column
        kept = {0: row[:at], 1: " " * (at + 1) + row[at + 1 :]}
        self._rows[self.row] = kept.get(n[0], "")

    def _erase(self, n: list[int]) -> None:
        if n[0] in {0, 1}:
            self._erase_line(n)
        before = range(self.row) if n[0] else range(0)
        behind = range(self.row + 1, ROWS) if n[0] != 1 else range(0)
        here = [self.row] if n[0] not in {0, 1} else []
        for row in (*before, *here, *behind):
            self._rows[row] = ""


MOVES: Final[dict[str, Callable[[Serial, list[int]], None]]] = {
    "A": lambda it, n: it._go(it.row - max(n[0], 1), it.column),  # noqa: SLF001
    "B": lambda it, n: it._go(it.row + max(n[0], 1), it.column),  # noqa: SLF001
    "C": lambda it, n: it._go(it.row, it.column + max(n[0], 1)),  # noqa: SLF001
    "D": lambda it, n: it._go(it.row, it.column - max(n[0], 1)),  # noqa: SLF001
    "E": lambda it, n: it._go(it.row + max(n[0], 1), 0),  # noqa: SLF001
    "F": lambda it, n: it._go(it.row - max(n[0], 1), 0),  # noqa: SLF001
    "G": lambda it, n: it._go(it.row, n[0] - 1),  # noqa: SLF001
    "d": lambda it, n: it._go(n[0] - 1, it.column),  # noqa: SLF001
    "H": Serial._position,  # noqa: SLF001
    "f": Serial._position,  # noqa: SLF001
    "J": Serial._erase,  # noqa: SLF001
    "K": Serial._erase_line,  # noqa: SLF001
}
"""By final character (ECMA-48 8.3): CUU, CUD, CUF, CUB, CNL, CPL, CHA, VPA, CUP, HVP,
ED, EL."""
