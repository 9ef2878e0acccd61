"""What a chunk that is written uses up of the budget: no less than who reads it says.

So what was recorded can be opened. A recording that comes to a limit stops and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lapis_sessions.recording.format import budget, heading, schema
from lapis_sessions.recording.format.budget import HASH, Spent
from lapis_sessions.recording.format.schema import (
    Annotation,
    CheckpointRow,
    ForkRow,
    HashRow,
    Trailer,
)
from lapis_sessions.recording.format.stored import FIELD
from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from lapis_sessions.recording.format.budget import Budget
    from lapis_sessions.recording.format.schema import ActRow, Header, Row


END = 100
"""Bytes that the end of a file takes, at most."""


class Spending:
    """What a file that is written has used up."""

    def __init__(self, head: Header, limits: Budget = budget.DEFAULT) -> None:
        """Begin with a header, and with what it takes to end; raise `RecordingError`.

        Of a header by itself nothing is refused here: who makes it looks at that.
        """
        self.spent = Spent(limits)
        heading.check(head, self.spent, "chunk HEAD")
        self.spent.take("chunks", "chunk HEAD", 2)
        self.spent.branch("branch main", FIRST)
        self._bytes("chunk HEAD", len(msgspec.msgpack.encode(head)) + END, 0)
        self.spent.take("file", "chunk HEAD", END)
        self._shapes: set[tuple[str, bytes, str]] = set()
        """What a reader knows when it comes there."""

    def take(
        self, kind: str, body: Row | list[ActRow], expanded: int, packed: int
    ) -> None:
        """Use up what a chunk takes; raise `RecordingError` when that is too much.

        It has so many bytes when expanded, and so many in the file.
        """
        if isinstance(body, Trailer):
            return  # for which there is room from the beginning on
        part = f"chunk {kind}"
        self.spent.take("chunks", part)
        self._bytes(part, expanded, packed)
        match body:
            case list():
                self._acts(part, body)
            case ForkRow():
                self.spent.branch(part, body.name)
                self._acts(part, body.acts)
            case _:
                _row(self.spent, part, body)

    def _bytes(self, part: str, expanded: int, packed: int) -> None:
        self.spent.take("expanded", part, expanded)
        self.spent.take("file", part, packed)

    def _acts(self, part: str, rows: list[ActRow]) -> None:
        self.spent.act(part, len(rows))
        shapes = self._shapes
        for row in rows:
            key = row.verb, msgspec.msgpack.encode(row.args), row.reason
            if key not in shapes:
                if len(shapes) >= schema.MANY:
                    shapes.clear()
                self.spent.args(part, row.args)
                shapes.add(key)

    def has_room(self, fields: int, expanded: int) -> bool:
        """Tell whether a checkpoint of so many fields and bytes fits."""
        used, most = self.spent.used, self.spent.budget
        if used["expanded"] + expanded > most.expanded:
            return False
        count = used.get("fields", 0) + fields
        memory = used.get("memory", 0) + HASH + fields * FIELD
        return count <= most.fields and memory <= most.memory


def _row(spent: Spent, part: str, body: Row) -> None:
    match body:
        case HashRow():
            spent.hash(part, body.digest)
        case CheckpointRow():
            fields = body.fields
            spent.hash(part, body.digest, len(fields) * WIDE, len(fields))
        case Annotation():
            spent.note(part, (body.text, body.ask, body.answer))
        case _:
            pass


WIDE = 40
"""Bytes that a field takes when packed, at most: most are a page with its hash."""
