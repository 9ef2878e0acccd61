"""The guest console: what the guest printed, port by port."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_sessions.text.visible import printed
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_tui.view import View

KEPT = 64 * 1024
"""Bytes of each console that are shown, counted from the end."""


def clean(raw: bytes) -> list[str]:
    r"""Return what was printed as rows of plain text, all of it visible.

    >>> for row in clean(b"one" + bytes([13, 10, 9]) + b"tw" + bytes([27]) + b"[2Jo"):
    ...     print(row)
    one
            tw\x1b[2Jo
    """
    text = printed(raw[-KEPT:].decode("utf-8", "backslashreplace"))
    rows = [row.expandtabs() for row in text.split("\n")]
    return rows[:-1] if rows and not rows[-1] else rows


def render(consoles: Mapping[str, bytes], size: tuple[int, int]) -> list[Line]:
    """Return every row of every console; a heading where there are several."""
    there = {port: raw for port, raw in consoles.items() if raw}
    if not there:
        return [Line(" the guest has printed nothing", "dim")] if size[1] else []
    out: list[Line] = []
    for port, raw in there.items():
        if len(there) > 1:
            out.append(Line(f" {port}", "label"))
        out += [Line(f" {row}") for row in clean(raw)]
    return out


class ConsolePane(LinePane):
    """Shows the console, the last row in view."""

    TITLE = "guest console"
    ABOUT = (
        "What the guest printed, port by port, as plain text: what would move the "
        "cursor or colour it is made visible. The terminal (8) obeys it instead."
    )
    follows = True

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="console")
        self._shown: dict[str, int] | None = None

    def update(self, view: View) -> None:
        """Show what was printed, if there is more than before."""
        consoles = view.now.consoles
        sizes = {port: len(raw) for port, raw in consoles.items()}
        if sizes != self._shown:
            self._shown = sizes
            self.draw(partial(render, consoles))
