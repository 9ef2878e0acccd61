"""Doing one branch of a recording again, without a timeline, event by event.

Nothing is kept and nothing forks, so it costs what the machine costs. A strict player
insists on the recorded places; one that is not does the same acts by their own rules,
which is how a recording is tried under another profile.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lapis_engine.machine import acts
from lapis_engine.replay import capture, entries
from lapis_engine.replay.capture import Position
from lapis_sessions.recording.play.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import Logged
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.named import Named

SLICE = 1_000_000
"""Instructions after which events are handed out, so that two players stay together."""


class _Reached(Exception):  # noqa: N818 - it leaves a run, and nothing is wrong
    """The event that was looked for has happened."""


class Player:
    """A machine built as recorded, and the acts that lie ahead of it."""

    def __init__(
        self,
        named: Named,
        extensions: Extensions,
        profile: str = "",
        *,
        strict: bool = True,
    ) -> None:
        """Build the machine; raise as `rebuild` does.

        Args:
            named: The branch that is done again.
            extensions: What plug-ins offer.
            profile: Another profile than the recorded one, or nothing.
            strict: Raise `DivergedError` where an act ends elsewhere than it did.
        """
        self.session = rebuild(named.recording.header, extensions, profile)
        self.machine = self.session.machine
        self.machine.on_act = None
        self.entries = named.branch.entries(self.at)
        self.done = 0
        """Entries that are over."""
        self._strict = strict
        self._heard: list[Logged] = []

    @property
    def at(self) -> Position:
        """Where the machine is."""
        return capture.position(self.machine)

    def events(self) -> Iterator[Logged]:
        """Yield every event from the beginning to the end, doing what is left to do.

        The machine is up to a slice ahead of what was yielded. Raises `DivergedError`.
        """
        for _, events in self.acts():
            yield from events

    def acts(
        self, hit: entries.Hit | None = None
    ) -> Iterator[tuple[int, list[Logged]]]:
        """Yield (entries over, new events) whenever something was done.

        The first holds what happened before the first act. `hit` is told of every stop
        on the way, as those are that an observer of the log asks for.
        """
        yield 0, self.machine.log.since(0)
        log = self.machine.log
        log.observers.append(self._heard.append)
        try:
            for entry in self.entries[self.done :]:
                for _ in self._slices(entry, hit):
                    yield self.done, self._taken()
                self.done += 1
                yield self.done, self._taken()
        finally:
            log.observers.remove(self._heard.append)

    def _taken(self) -> list[Logged]:
        heard = self._heard.copy()
        self._heard.clear()
        return heard

    def to_act(self, count: int) -> None:
        """Go on until so many entries are over."""
        for entry in self.entries[self.done : count]:
            for _ in self._slices(entry):
                pass
            self.done += 1

    def to_count(self, retired: int) -> None:
        """Go on to where so many instructions had retired for the first time."""
        for entry in self.entries[self.done :]:
            if self.at.retired >= retired:
                return
            if entry.end.retired >= retired:
                entries.advance(self.machine, entry, Position(retired, 0, 0))
                self._settle(entry)
                return
            self.to_act(self.done + 1)

    def to_event(self, seq: int) -> None:
        """Go on till event `seq` has happened, or to the end."""
        log = self.machine.log

        def look(_at: Position | None = None) -> None:
            if log.next_seq > seq:
                raise _Reached

        with entries.stopping_at(self.machine, seq + 1), suppress(_Reached):
            for entry in self.entries[self.done :]:
                look()
                for _ in self._slices(entry, look):
                    look()
                self.done += 1
        if self.done < len(self.entries):
            self._settle(self.entries[self.done])

    def _settle(self, entry: Entry) -> None:
        """Count an entry that was left as over, if it is.

        Where its instructions end its last turn may not be.
        """
        if self.at == entry.end:
            if self._strict and entry.moves:
                entries.perform(self.machine, entry)
            self.done += 1

    def _slices(self, entry: Entry, hit: entries.Hit | None = None) -> Iterator[None]:
        """Do an entry in slices, with a pause after each but the last."""
        machine = self.machine
        while entry.moves and self.at.retired + SLICE < entry.end.retired:
            goal = self.at.retired + SLICE
            entries.advance(machine, entry, Position(goal, 0, 0), hit)
            yield
            if self.at.retired < goal:
                break
        if self._strict:
            entries.perform(machine, entry, hit)
        elif not entry.moves:
            acts.perform(machine, entry.act)
        elif self.at.retired < entry.end.retired or self.at.seq < entry.end.seq:
            entries.advance(machine, entry, entry.end, hit)
