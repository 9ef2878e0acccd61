"""Taking up one chunk after the other: each is checked, counted, and perhaps kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lapis_engine.replay.capture import Position
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import rows
from lapis_sessions.recording.format.contents import (
    BranchOutline,
    RecordedBranch,
    Recording,
)
from lapis_sessions.recording.format.heading import check
from lapis_sessions.recording.format.schema import (
    Annotation,
    HashRow,
    Header,
    Trailer,
    TurnRow,
)
from lapis_sessions.recording.format.stored import (
    FIELD,
    Fields,
    RawCheckpoint,
    StoredCheckpoint,
    entries_of,
)
from lapis_sessions.text.visible import quoted, short
from lapis_sessions.timeline.branches import FIRST, LISTED, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.recording.format.budget import Spent
    from lapis_sessions.recording.format.chunks import Chunk
    from lapis_sessions.recording.format.contents import Outline
    from lapis_sessions.recording.format.rows import RawAct

T = TypeVar("T")
_fields = msgspec.msgpack.Decoder(Fields)


def header(chunk: Chunk, spent: Spent) -> Header:
    """Return the header; raise `RecordingError` for what is none."""
    if chunk.type != "HEAD":
        raise RecordingError(
            f"it begins with chunk {short(chunk.type)} and not with HEAD"
        )
    spent.take("chunks", chunk)
    head = _decode(chunk, spent, Header)
    check(head, spent, chunk.part)
    return head


class Taker:
    """Takes up the chunks after the header."""

    def __init__(self, found: Outline, spent: Spent) -> None:
        """Take them into `found`: all of them if that is a `Recording`."""
        self._found = found
        self._spent = spent
        self._shapes = rows.Shapes(spent)
        self._numbers = {FIRST: 0}
        spent.branch("branch main", FIRST)

    @property
    def _kept(self) -> RecordedBranch | None:
        """The branch to keep in what comes."""
        found = self._found
        return found.last if isinstance(found, Recording) else None

    def take(self, chunk: Chunk) -> None:
        """Take one up; raise `RecordingError` saying what is wrong with it."""
        found, spent = self._found, self._spent
        spent.take("chunks", chunk)
        match chunk.type:
            case "ACTS":
                self._add(chunk, self._decode(chunk, rows.RawActs))
            case "FORK":
                self._fork(chunk, self._decode(chunk, rows.RawFork))
            case "TURN":
                self._turn(chunk, self._decode(chunk, TurnRow))
            case "CKPT":
                self._checkpoint(chunk)
            case "hash":
                self._hash(chunk, self._decode(chunk, HashRow))
            case "note":
                self._note(chunk, self._decode(chunk, Annotation))
            case "DONE":
                self._done(chunk, self._decode(chunk, Trailer))
            case "HEAD":
                raise RecordingError(f"{chunk.part} is a second one")
            case _:
                if chunk.type not in found.skipped[:LISTED]:
                    found.skipped.append(chunk.type)
                    del found.skipped[LISTED + 1 :]
        found.chunks += 1

    def _decode(self, chunk: Chunk, kind: type[T]) -> T:
        return _decode(chunk, self._spent, kind)

    @property
    def _outline(self) -> BranchOutline:
        return self._found.outlines[self._found.turn]

    def _add(self, chunk: Chunk, raw: list[RawAct]) -> None:
        outline, kept = self._outline, self._kept
        acts = _decoding(chunk, lambda: self._shapes.acts(raw, outline.end, chunk))
        if acts:
            last = acts[-1]
            outline.end = Position(last.retired, last.seq, last.now)
        outline.acts += len(acts)
        self._found.acts += len(acts)
        if kept is not None:
            kept.acts += acts

    def _turn(self, chunk: Chunk, row: TurnRow) -> None:
        number = self._numbers.get(row.name)
        if number is None:
            raise RecordingError(
                f"{chunk.part}: it goes on with branch {quoted(row.name)}: there are "
                f"{listed(self._numbers)}"
            )
        self._found.turn = number

    def _fork(self, chunk: Chunk, row: rows.RawFork) -> None:
        found, numbers = self._found, self._numbers
        if not row.name:  # what elsewhere means the branch that one is on
            raise RecordingError(f"{chunk.part}: a branch has no name")
        if row.name in numbers or row.parent not in numbers:
            raise RecordingError(
                f"{chunk.part}: branch {quoted(row.name)} of {quoted(row.parent)}: "
                f"there are {listed(numbers)}"
            )
        self._spent.branch(chunk, row.name)
        found.turn = numbers[row.name] = len(found.outlines)
        found.outlines.append(BranchOutline(row.name, row.parent))
        if isinstance(found, Recording):
            found.branches.append(RecordedBranch(row.name, row.parent))
        self._add(chunk, row.acts)

    def _checkpoint(self, chunk: Chunk) -> None:
        row = self._decode(chunk, RawCheckpoint)
        fields = entries_of(row.fields)
        self._spent.hash(chunk, row.digest, len(chunk.raw), fields)
        self._spent.room(chunk, fields * FIELD)
        _decoding(chunk, lambda: _fields.decode(row.fields))
        self._within(chunk, row)
        self._outline.hashes += 1
        kept = self._kept
        if kept is not None:
            kept.checkpoints.append(StoredCheckpoint.read(row, chunk))

    def _hash(self, chunk: Chunk, row: HashRow) -> None:
        self._spent.hash(chunk, row.digest)
        self._within(chunk, row)
        self._outline.hashes += 1
        kept = self._kept
        if kept is not None:
            kept.hashes.append(row)

    def _note(self, chunk: Chunk, row: Annotation) -> None:
        self._spent.note(chunk, (row.text, row.ask, row.answer))
        self._within(chunk, row)
        self._outline.notes += 1
        kept = self._kept
        if kept is not None:
            kept.notes.append(row)

    def _within(self, chunk: Chunk, row: HashRow | RawCheckpoint | Annotation) -> None:
        outline = self._outline
        what = "an annotation" if isinstance(row, Annotation) else "a hash"
        if not 0 <= row.acts <= outline.acts:
            raise RecordingError(
                f"{chunk.part}: {what} is of act {row.acts}; {short(outline.name)} has "
                f"{outline.acts}"
            )
        if row.retired < 0:
            raise RecordingError(f"{chunk.part} is of instruction {row.retired}")

    def _done(self, chunk: Chunk, trailer: Trailer) -> None:
        found = self._found
        if trailer.acts != found.acts or trailer.chunks != found.chunks:
            raise RecordingError(
                f"{chunk.part} counts {trailer.acts} acts in {trailer.chunks} chunks; "
                f"there are {found.acts} in {found.chunks}"
            )
        found.complete = True


def _decode(chunk: Chunk, spent: Spent, kind: type[T]) -> T:
    left = spent.budget.expanded - spent.used.get("expanded", 0)
    body = chunk.body(left)
    spent.take("expanded", chunk, len(body))
    return _decoding(chunk, lambda: msgspec.msgpack.decode(body, type=kind))


def _decoding(chunk: Chunk, work: Callable[[], T]) -> T:
    try:
        return work()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingError(
            f"{chunk.part} is not what it should be: {short(str(error), 300)}"
        ) from None
