"""The acts of a chunk: decoded, checked, and kept so that a million can be.

Acts of one chunk that were asked for alike share what they were asked with, and are
looked at once. Arguments are decoded only when it is known how large they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from lapis_engine.machine.acts import Act, ActError
from lapis_engine.replay import entries as replay
from lapis_engine.replay.entries import TIME_MOVING
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import schema
from lapis_sessions.recording.format.schema import ActRow, Row
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.replay.capture import Position
    from lapis_sessions.recording.format.budget import Spent

LARGEST = 1 << 16
"""Bytes of the arguments of an act."""
Args = Annotated[dict[str, Any], Meta(max_length=64)]
Key = tuple[str, bytes, str]
Shape = tuple[str, dict[str, Any], str]


class RawAct(Row, frozen=True, gc=False):
    """An `ActRow` whose arguments are still packed."""

    verb: str
    args: msgspec.Raw
    retired: int
    seq: int
    now: int
    reason: str


RawActs = Annotated[list[RawAct], Meta(max_length=schema.MANY)]
_decoder = msgspec.msgpack.Decoder(Args)


class RawFork(Row, frozen=True):
    """A `ForkRow` whose acts have packed arguments."""

    name: str
    parent: str
    acts: RawActs


class Shapes(dict[Key, Shape]):
    """What was asked for so far, by how it is packed; a new one is checked.

    Raises `RecordingError`, and of `msgspec` what its decoder raises.
    """

    def __init__(self, spent: Spent) -> None:
        """Begin with none."""
        super().__init__()
        self._spent = spent
        self.part: object = ""
        """Of the file, for refusals."""

    def __missing__(self, key: Key) -> Shape:
        """Look at a new one."""
        if len(self) >= schema.MANY:
            self.clear()
        found = self[key] = _shape(key, self._spent, self.part)
        return found

    def acts(
        self, rows: Sequence[RawAct], begin: Position, part: object
    ) -> list[ActRow]:
        """Return acts that can be: each ends no sooner than the one before."""
        self._spent.act(part, len(rows))
        self.part = part
        keys = [(row.verb, bytes(row.args), row.reason) for row in rows]
        asked = list(map(self.__getitem__, keys))
        columns = [
            [row.retired for row in rows], [row.seq for row in rows],
            [row.now for row in rows],
        ]  # fmt: skip
        for start, values in zip(begin, columns, strict=True):
            if values and (values[0] < start or values != sorted(values)):
                _refuse_order(rows, begin, part)
        verbs, args = [shape[0] for shape in asked], [shape[1] for shape in asked]
        return list(map(ActRow, verbs, args, *columns, [shape[2] for shape in asked]))


def _shape(key: Key, spent: Spent, part: object) -> Shape:
    """Check what was asked; return (verb, arguments, reason)."""
    verb, packed, reason = key
    if len(packed) > LARGEST:
        raise RecordingError(
            f"{part}: the arguments of act {quoted(verb)} have {len(packed):,} bytes; "
            f"{LARGEST:,} is the most"
        )
    args = _decoder.decode(packed)
    spent.args(part, args)
    spent.name(part, reason, "the reason of an act")
    try:
        replay.check(Act(verb, args))
    except ActError as error:
        raise RecordingError(f"{part}: {error}") from None
    if bool(reason) != (verb in TIME_MOVING):
        raise RecordingError(f"{part}: act {verb} with reason {quoted(reason)}")
    return verb, args, reason


def _refuse_order(rows: Sequence[RawAct], begin: Position, part: object) -> None:
    """Raise `RecordingError` for the first act that ends before it began."""
    at: tuple[int, int, int] = begin
    for row in rows:
        before, at = at, (row.retired, row.seq, row.now)
        if any(new < old for new, old in zip(at, before, strict=True)):
            raise RecordingError(
                f"{part}: act {row.verb} ends at instruction {row.retired}, event "
                f"{row.seq}: before it began"
            )
