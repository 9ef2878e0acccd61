"""What is in the file of a recording: all of it, or an outline of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Literal, TypeVar

from lapis_engine.machine.acts import Act
from lapis_engine.replay.capture import Position
from lapis_engine.replay.entries import Entry
from lapis_sessions.recording.format.collecting import unwatched
from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.recording.format.schema import (
        ActRow,
        Annotation,
        HashRow,
        Header,
    )
    from lapis_sessions.recording.format.stored import StoredCheckpoint
    from lapis_sessions.recording.format.tail import Damage

T = TypeVar("T")
State = Literal["whole", "cut off", "damaged"]
"""What there is of a recording; what a replay comes to is another question."""

BEGINNING = Position(0, 0, 0)


@dataclass(slots=True)
class BranchOutline:
    """How much there is of one history."""

    name: str
    parent: str = ""
    """The branch that it forked from, or nothing."""
    acts: int = 0
    end: Position = BEGINNING
    """Where its last act ended."""
    hashes: int = 0
    """Hashes and checkpoints."""
    notes: int = 0


@dataclass(slots=True)
class RecordedBranch:
    """One history of a recording."""

    name: str
    parent: str = ""
    """The branch that it forked from, or nothing."""
    acts: list[ActRow] = field(default_factory=list)
    hashes: list[HashRow] = field(default_factory=list)
    checkpoints: list[StoredCheckpoint] = field(default_factory=list)
    notes: list[Annotation] = field(default_factory=list)

    def entries(self, begin: Position) -> list[Entry]:
        """Return the acts as entries of a timeline that begins at `begin`.

        Acts that share their arguments share the act, too: there may be a million.
        """
        rows = self.acts
        with unwatched():
            known: dict[tuple[str, int], Act] = {}
            for row in rows:
                if (row.verb, id(row.args)) not in known:
                    known[row.verb, id(row.args)] = Act(row.verb, row.args)
            acts = [known[row.verb, id(row.args)] for row in rows]
            ends = _made(
                Position,
                [row.retired for row in rows],
                [row.seq for row in rows],
                [row.now for row in rows],
            )
            reasons = [row.reason for row in rows]
            return _made(Entry, acts, chain([begin], ends), ends, reasons)


def _made(kind: type[T], *columns: Iterable[object]) -> list[T]:
    """Return tuples of a kind, made of columns: at a third of the cost of calls."""
    rows = zip(*columns, strict=False)
    return list(map(tuple.__new__, repeat(kind), rows))  # type: ignore[arg-type]  # as a class


@dataclass(slots=True)
class Outline:
    """What a file is of, and how much of what there is."""

    name: str
    size: int
    header: Header
    """Of an outline without its image, for which stands one of no bytes."""
    outlines: list[BranchOutline] = field(
        default_factory=lambda: [BranchOutline(FIRST)]
    )
    """Of the branches, in the order in which they were begun."""
    chunks: int = 0
    skipped: list[str] = field(default_factory=list)
    """Types of the chunks that were skipped."""
    complete: bool = False
    """Whether it was closed in order."""
    damage: Damage | None = None
    """Where it is no longer what was written; nothing after that is read."""
    lost: int = 0
    """Bytes at its end that are not read."""
    turn: int = 0
    """The branch that was written last, by number."""
    acts: int = 0
    """Acts in all chunks."""

    @property
    def state(self) -> State:
        """Whether it is all there: one that is damaged is not whole even if closed."""
        if self.damage is not None:
            return "damaged"
        return "whole" if self.complete else "cut off"


@dataclass(slots=True)
class Recording(Outline):
    """What a file holds."""

    branches: list[RecordedBranch] = field(
        default_factory=lambda: [RecordedBranch(FIRST)]
    )
    """In the order in which they were begun."""

    @property
    def last(self) -> RecordedBranch:
        """The branch that was written last."""
        return self.branches[self.turn]
