"""The guest console: what the guest printed, port by port."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 64 * 1024
"""Bytes of each console that are shown, counted from the end."""
GLYPHS = {n: None if n == 8 else "." for n in range(256) if not chr(n).isprintable()}
"""What stands for the characters of Latin-1 that have no glyph."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0-9A-B]|\x1b[=>c]")


def clean(raw: bytes) -> list[str]:
    """Return what was printed as rows of plain text.

    Escape sequences are left out, a lone carriage return begins the row again, and
    what has no glyph is a dot.

    >>> clean(b"one" + bytes([13, 10]) + b"lost" + bytes([13]) + b"two")
    ['one', 'two']
    """
    text = _ESCAPES.sub("", raw[-KEPT:].decode("latin-1")).replace("\r\n", "\n")
    rows = [row.rstrip("\r").rsplit("\r", 1)[-1] for row in text.split("\n")]
    rows = [row.expandtabs().translate(GLYPHS) for row in rows]
    return rows[:-1] if rows and not rows[-1] else rows


def render(consoles: Mapping[str, bytes], size: tuple[int, int]) -> list[Line]:
    """Return every row of every console; a heading where there are several."""
    printed = {port: raw for port, raw in consoles.items() if raw}
    if not printed:
        return [Line(" the guest has printed nothing", "dim")] if size[1] else []
    out: list[Line] = []
    for port, raw in printed.items():
        if len(printed) > 1:
            out.append(Line(f" {port}", "label"))
        out += [Line(f" {row}") for row in clean(raw)]
    return out


class ConsolePane(LinePane):
    """Shows the console, the last row in view."""

    follows = True

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("guest console", id="console")
        self._shown: dict[str, int] | None = None

    def update(self, consoles: Mapping[str, bytes]) -> None:
        """Show what was printed, if there is more than before."""
        sizes = {port: len(raw) for port, raw in consoles.items()}
        if sizes != self._shown:
            self._shown = sizes
            self.draw(partial(render, consoles))
