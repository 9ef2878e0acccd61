"""What a chunk that is written uses up of the budget: no less than who reads it says.

So what was recorded can be opened. A recording that comes to a limit stops and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.recording.format.budget import HASH
from lapis_sessions.recording.format.schema import (
    Annotation,
    CheckpointRow,
    ForkRow,
    HashRow,
)
from lapis_sessions.recording.format.stored import FIELD

if TYPE_CHECKING:
    from lapis_sessions.recording.format.budget import Spent
    from lapis_sessions.recording.format.schema import ActRow, Row


def take(spent: Spent, kind: str, body: Row | list[ActRow]) -> None:
    """Use up what a chunk takes; raise `RecordingError` when that is too much."""
    part = f"chunk {kind}"
    spent.take("chunks", part)
    match body:
        case list():
            _acts(spent, part, body)
        case ForkRow():
            spent.branch(part, body.name)
            _acts(spent, part, body.acts)
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


def has_room(spent: Spent, fields: int) -> bool:
    """Tell whether a checkpoint of so many fields fits, with some left for acts."""
    used, most = spent.used, spent.budget
    count = used.get("fields", 0) + fields
    memory = used.get("memory", 0) + HASH + fields * FIELD
    return count <= most.fields and memory <= most.memory


def _acts(spent: Spent, part: str, rows: list[ActRow]) -> None:
    spent.act(part, len(rows))
    last: ActRow | None = None
    for row in rows:
        if row.args and not (last and last.args == row.args):
            spent.args(part, row.args)
        last = row
