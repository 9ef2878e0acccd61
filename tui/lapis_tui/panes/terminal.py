"""The terminal on COM1: what the guest prints and, in focus, its keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.message import Message

from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.serial import COLUMNS, Serial
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.events import Key, Paste

    from lapis_tui.view import View

PORT: Final = "com1"
WAY_OUT: Final = "ctrl+right_square_bracket"
BESIDE: Final[Mapping[str, int]] = {"ctrl+pagedown": 1, "ctrl+pageup": -1}
"""Keys that a guest never gets: they go to the next pane, or the one before."""
KEYS: Final[Mapping[str, bytes]] = {
    "enter": b"\r", "backspace": b"\x7f", "tab": b"\t", "escape": b"\x1b",
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D",
    "home": b"\x1b[H", "end": b"\x1b[F", "delete": b"\x1b[3~", "insert": b"\x1b[2~",
    "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~", "shift+tab": b"\x1b[Z",
    "f1": b"\x1bOP", "f2": b"\x1bOQ", "f3": b"\x1bOR", "f4": b"\x1bOS",
}  # fmt: skip
"""What a VT220 sends for keys that are no characters."""


def sent(key: Key) -> bytes:
    """Return what a key sends down the line: nothing for one that a terminal lacks."""
    if key.key in KEYS:
        return KEYS[key.key]
    return key.character.encode("utf-8", "replace") if key.character else b""


class TerminalPane(LinePane):
    """Shows the screen of a serial terminal; typed keys go to the guest."""

    TITLE = "terminal com1"
    ABOUT = (
        "The screen of a serial terminal on COM1. While it has the focus every key "
        "goes to the guest, and is recorded as typed; Ctrl-] takes the keys back, and "
        "Ctrl-PgDn goes on to the screen of a pc."
    )
    follows = True

    class Typed(Message):
        """Keys were pressed that are for the guest."""

        def __init__(self, data: bytes) -> None:
            """Carry what they send."""
            super().__init__()
            self.data = data

    class Left(Message):
        """The user wants his keys back."""

        def __init__(self, by: int) -> None:
            """Carry how many panes on to go, 0 to leave the layout as well."""
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="terminal")
        self._serial = Serial()
        self._printed = b""

    def update(self, view: View) -> None:
        """Show what was printed; where that is not more of the same, begin anew."""
        now = view.now.consoles.get(PORT, b"")
        if now == self._printed and self.lines:
            return
        if not now.startswith(self._printed):
            self._serial, self._printed = Serial(), b""
        self._serial.feed(now[len(self._printed) :])
        self._printed = now
        self.draw(lambda _size: self._painted())

    def _painted(self) -> list[Line]:
        rows, serial = self._serial.rows, self._serial
        out = [Line(row) for row in rows]
        at = len(serial.history) + serial.row
        column = min(serial.column, COLUMNS - 1)
        text = rows[at].ljust(column + 1)
        out[at] = Line(text[:column]).add(text[column], "caret").add(text[column + 1 :])
        return out

    def on_focus(self) -> None:
        """Say how the keys come back."""
        self.call(
            f"{self.TITLE}: keys go to the guest, Ctrl-] leaves, Ctrl-PgDn goes on"
        )

    def on_blur(self) -> None:
        """Say what it is."""
        self.call(self.TITLE)

    async def _on_key(self, event: Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == WAY_OUT or event.key in BESIDE:
            self.post_message(self.Left(BESIDE.get(event.key, 0)))
            return
        data = sent(event)
        if data:
            self.post_message(self.Typed(data))

    async def _on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        text = event.text.replace("\r\n", "\r").replace("\n", "\r")
        self.post_message(self.Typed(text.encode("utf-8", "replace")))
