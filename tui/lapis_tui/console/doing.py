"""Lines of the session on the thread of the prompt: in slices, with Ctrl-C between."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import LeftError
from lapis_sessions.slices import FIRST_SLICE, fitting
from lapis_tui.console.follower import Follower
from lapis_tui.console.printing import Printing

if TYPE_CHECKING:
    from lapis_sessions.session import Outcome, Session
    from lapis_sessions.timeline.way import Way
    from lapis_tui.console.face import Face
    from lapis_tui.console.interrupts import Interrupts

PATIENCE: Final = 0.5
"""Seconds after which, and then how often, is said how something gets on."""


class Doing:
    """Does one line after the other."""

    def __init__(self, session: Session, face: Face, interrupts: Interrupts) -> None:
        """Show on `face` what the guest prints meanwhile, and how far it is."""
        self._session, self._face = session, face
        self._interrupts = interrupts
        self._printing = Printing(session, face)
        self._follower = Follower(session, face)
        self._slice = FIRST_SLICE
        self._is_begun = False
        self._since = self._told = 0.0
        self._ran = 0
        self._asked = 0
        session.front = self

    @property
    def follows(self) -> bool:
        """Whether events are shown as they happen."""
        return self._follower.is_on

    @follows.setter
    def follows(self, on: bool) -> None:
        self._follower.is_on = on

    def do(self, line: str) -> Outcome:
        """Do a line; return what became of it."""
        session, timeline = self._session, self._session.timeline
        self._is_begun, self._ran, self._asked = False, 0, 0
        self._told = self._since = monotonic()
        travels = timeline.travels
        self._follower.skip()
        try:
            outcome = session.execute(line, pace=self._pace, watch=self._watch)
        finally:
            self._face.status(None)
        if timeline.travels == travels:
            self._printing.show(is_all=True)
            self._follower.show()
        else:
            self._follower.skip()
            self._printing.skip()
        return outcome

    def tell(self, sentence: str) -> None:
        """Say what a command that is at work has to say (`lapis_sessions.front`)."""
        self._face.tell(sentence)

    def waits(self) -> bool:
        """Tell whether a command is to wait on for who is outside."""
        self._printing.show(is_all=False)
        self._follower.show()
        return not self._interrupts.broken

    def _pace(self, left: int) -> int:
        """Say how much to run before asking again (`lapis_sessions.session.Pace`)."""
        if self._interrupts.broken:
            return 0
        now = monotonic()
        if self._is_begun:
            self._slice = fitting(self._slice, now - self._since)
            self._ran += self._asked
        self._is_begun = True
        self._printing.show(is_all=False)
        self._follower.show()
        if now - self._told >= PATIENCE:
            self._told = now
            self._face.status(f"running: {self._ran:,} instructions; Ctrl-C breaks in")
        self._since = monotonic()
        self._asked = min(self._slice, left)
        return self._asked

    def _watch(self, way: Way) -> bool:
        """Tell how a way to another point gets on (`lapis_sessions.session.Watch`)."""
        if self._interrupts.ending.asked:
            raise LeftError(
                f"broken off at instruction {way.at}; the machine is left on the way"
            )
        now = monotonic()
        if now - self._told >= PATIENCE:
            self._told = now
            self._face.status(f"{way.percent} per cent of the way; Ctrl-C turns back")
        return not self._interrupts.broken
