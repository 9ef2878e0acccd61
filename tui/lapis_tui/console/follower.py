"""Events as they happen, above the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.text.visible import shown
from lapis_sessions.views import events

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.console.face import Face

MOST: Final = 50
"""Events of a slice that are shown; of more the first ones are left out."""


class Follower:
    """Shows the events since it looked last, while it is on."""

    def __init__(self, session: Session, face: Face) -> None:
        """Be off."""
        self._session, self._face = session, face
        self._seen = 0
        """Number of the first event that was not looked at."""
        self.is_on = False

    def skip(self) -> None:
        """Look at what comes from here on."""
        self._seen = self._session.machine.log.next_seq

    def show(self) -> None:
        """Show what has come."""
        if not self.is_on:
            return
        log = self._session.machine.log
        news = log.since(self._seen)
        left_out = log.next_seq - self._seen - min(len(news), MOST)
        self.skip()
        rows = [events.row_text(shown(events.of(each))) for each in news[-MOST:]]
        if left_out > 0:
            rows.insert(0, f"({left_out:,} events are left out)")
        if rows:
            self._face.events(rows)
