"""What the guest prints while a console runs it, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.guest_text import Filter

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.console.face import Face

MOST: Final = 64 * 1024
"""Bytes of a port that are shown at once; of more the beginning is left out."""
LONGEST: Final = 512
"""Letters of a row, after which another is begun."""


class Port:
    """One port: how much of it was shown, and the row that has no end yet."""

    def __init__(self, shown: int) -> None:
        """Begin behind what was printed by now."""
        self.shown = shown
        self._filter = Filter(is_terminal=False)
        self._row = ""

    def rows(self, printed: bytearray) -> list[str]:
        """Return the rows that are complete by now."""
        new = printed[self.shown :]
        self.shown = len(printed)
        left_out = len(new) - MOST
        rows = [f"({left_out:,} bytes are left out)"] if left_out > 0 else []
        *ended, self._row = (self._row + self._filter.feed(bytes(new[-MOST:]))).split(
            "\n"
        )
        while len(self._row) > LONGEST:
            ended.append(self._row[:LONGEST])
            self._row = self._row[LONGEST:]
        return rows + [row.replace("\b", "") for row in ended]

    def rest(self) -> list[str]:
        """Return the row that has no end, if there is one, as if it had."""
        row, self._row = self._row, ""
        return [row] if row else []


class Printing:
    """All ports of a machine."""

    def __init__(self, session: Session, face: Face) -> None:
        """Begin behind what was printed by now."""
        self._session, self._face = session, face
        self._ports = {name: Port(len(text)) for name, text in self._consoles()}

    def _consoles(self) -> list[tuple[str, bytearray]]:
        return list(self._session.machine.consoles.items())

    def show(self, *, is_all: bool) -> None:
        """Show what has come; with `is_all` also rows that have no end yet."""
        for name, text in self._consoles():
            port = self._ports.setdefault(name, Port(0))
            rows = port.rows(text) if len(text) > port.shown else []
            rows += port.rest() if is_all else []
            if rows:
                self._face.guest(name, rows)

    def skip(self) -> None:
        """Be behind what was printed here, after a way to another point."""
        for name, text in self._consoles():
            port = self._ports.setdefault(name, Port(0))
            port.shown = len(text)
            port.rest()
        for name in self._ports.keys() - dict(self._consoles()).keys():
            self._ports[name] = Port(0)
