"""The lines of a console: its own, those that were defined, and the session's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import NoNames
from lapis_sessions.session import sentence
from lapis_tui.console import own
from lapis_tui.console.defined import Definitions
from lapis_tui.console.doing import Doing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.session import Session
    from lapis_tui.console.face import Face
    from lapis_tui.console.interrupts import Interrupts

DEEPEST: Final = 16
"""How deep `source` and defined commands go into one another."""
AGAIN: Final = frozenset({
    "step", "run", "play", "reverse-step", "reverse-continue", "next-event",
    "previous-event",
})  # fmt: skip
"""What an empty line does again, beside what only looks."""


class Shell:
    """Does lines, and shows what becomes of them."""

    def __init__(self, session: Session, face: Face, interrupts: Interrupts) -> None:
        """Do lines in `session`."""
        self.session, self.face = session, face
        self.interrupts = interrupts
        self.definitions = Definitions(self._is_known)
        self.is_left = False
        """No more lines are wanted."""
        self.stops_on_error = False
        """A file of lines ends at the first one that fails."""
        self.failures = 0
        """Lines that failed by now."""
        self.is_paged = True
        self.editing = "emacs"
        self._doing = Doing(session, face, interrupts)
        self._depth = 0
        self._last = ""

    @property
    def follows(self) -> bool:
        """Whether events are shown as they happen."""
        return self._doing.follows

    @follows.setter
    def follows(self, on: bool) -> None:
        self._doing.follows = on

    def _is_known(self, name: str) -> bool:
        names = {each.split()[0] for each in (*self.session.registry.names, *own.NAMES)}
        return name in names

    # Lines.

    def enter(self, line: str) -> bool:
        """Do a line that was typed; an empty one does the last again, if that may be.

        Returns whether all went well.
        """
        line = line.strip()
        self.interrupts.begin()
        if line or self.definitions.is_open:
            self._last = line if self._may_repeat(line) else ""
        return self.do(line or self._last)

    def do(self, line: str) -> bool:
        """Do a line; return whether all went well."""
        line = line.strip()
        try:
            if self.definitions.take(line):
                return True
            if not line or line.startswith("#"):
                return True
            ok = self._done(line)
        except LapisError as error:
            self.face.show(sentence(error), ok=False, is_paged=False)
            ok = False
        self.notice()
        self.failures += not ok
        return ok

    def do_all(self, lines: Iterable[str], what: str) -> bool:
        """Do lines in turn; return whether all went well.

        Where a failure stops, the rest is left out, and that is said of `what`.
        """
        if self._depth >= DEEPEST:
            raise CommandError(f"{what}: {DEEPEST} files and commands within another")
        ok = True
        self._depth += 1
        try:
            for number, line in enumerate(lines, 1):
                ok = self.do(line) and ok
                if self.is_left or self.interrupts.broken:
                    break
                if not ok and self.stops_on_error:
                    self.face.tell(f"{what}: stopped at line {number}, which failed")
                    break
        finally:
            self._depth -= 1
        return ok

    def notice(self) -> None:
        """Say what no line asked for."""
        while self.session.notices:
            self.face.tell(self.session.notices.pop(0))

    def _done(self, line: str) -> bool:
        called = self.definitions.call(line)
        if called is not None:
            return self.do_all(called, line.split(maxsplit=1)[0])
        if own.knows(line):
            call, before = own.OWN.parse(line, NoNames()), self.failures
            text = call.command.perform(self, call.bound)
            if text:
                self.face.show(text, ok=True, is_paged=self.is_paged)
            return self.failures == before
        about = line.split()
        if about[0] in {"help", "?"} and about[1:] and own.knows(about[1]):
            self.face.show(own.described(about[1]), ok=True, is_paged=False)
            return True
        outcome = self._doing.do(line)
        text = outcome.text
        if outcome.ok and line in {"help", "?"}:
            text += f"\n\n{own.listed()}"
        self.face.show(text, ok=outcome.ok, is_paged=self.is_paged)
        return outcome.ok

    def _may_repeat(self, line: str) -> bool:
        """Tell whether an empty line may do `line` again."""
        if not line or own.knows(line) or self.definitions.is_open:
            return False
        try:
            call = self.session.registry.parse(line, self.session)
        except LapisError:
            return False
        return call.effect == "read-only" or call.command.name in AGAIN

    # What the console's own commands do.

    def leave(self, *, ask: bool) -> None:
        """Leave; with `ask` only if nothing is lost or the user says so."""
        unsaved = self.session.unsaved
        if ask and unsaved and self.face.is_interactive:
            acts = "1 act is" if unsaved == 1 else f"{unsaved} acts are"
            if not self.face.ask(
                f"{acts} in no recording (`record start FILE` keeps them): leave?"
            ):
                return
        self.is_left = True
