"""Reading a recording: everything is checked, nothing is trusted, nothing is run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from lapis_engine.machine.acts import Act, ActError
from lapis_engine.replay import entries as replay
from lapis_engine.replay.capture import Position
from lapis_engine.replay.entries import TIME_MOVING, Entry
from lapis_sessions import regular
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import chunks, schema, tail
from lapis_sessions.recording.format.schema import (
    ActRow,
    Annotation,
    CheckpointRow,
    ForkRow,
    HashRow,
    Header,
    Trailer,
    TurnRow,
)
from lapis_sessions.recording.format.tail import Damage
from lapis_sessions.regular import FileError, NoNameError
from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from typing import BinaryIO

    from lapis_sessions.recording.format.chunks import Chunk

T = TypeVar("T")
State = Literal["whole", "cut off", "damaged"]
"""What there is of a recording; what a replay comes to is another question."""
MOST_ACTS = 4_000_000
FREE_ACTS, BYTES = 100_000, 2
"""Acts of the smallest file; and for each act more it must have so many bytes, so that
what a file takes in memory is in proportion to its size."""
BEGINNING = Position(0, 0, 0)


@dataclass(slots=True)
class RecordedBranch:
    """One history of a recording."""

    name: str
    parent: str = ""
    """The branch that it forked from, or nothing."""
    acts: list[ActRow] = field(default_factory=list)
    hashes: list[HashRow] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    notes: list[Annotation] = field(default_factory=list)

    def entries(self, begin: Position) -> list[Entry]:
        """Return the acts as entries of a timeline that begins at `begin`."""
        found = []
        for row in self.acts:
            end = Position(row.retired, row.seq, row.now)
            found.append(Entry(Act(row.verb, row.args), begin, end, row.reason))
            begin = end
        return found


@dataclass(slots=True)
class Recording:
    """What a file holds."""

    name: str
    size: int
    header: Header
    branches: list[RecordedBranch] = field(
        default_factory=lambda: [RecordedBranch(FIRST)]
    )
    """In the order in which they were begun."""
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

    @property
    def state(self) -> State:
        """Whether it is all there: one that is damaged is not whole even if closed."""
        if self.damage is not None:
            return "damaged"
        return "whole" if self.complete else "cut off"

    @property
    def last(self) -> RecordedBranch:
        """The branch that was written last."""
        return self.branches[self.turn]

    @property
    def acts(self) -> int:
        """Acts in all chunks."""
        return sum(len(branch.acts) for branch in self.branches)


def read(path: str) -> Recording:
    """Read a recording; raise `RecordingError` saying what is wrong with it."""
    try:
        with regular.opened(path, "recording") as file:
            return _read(file, path)
    except NoNameError as error:
        raise RecordingError(f"{path!r} {error.why}") from None
    except FileError as error:
        raise RecordingError(f"{path!r} cannot be read: {error.why}") from None
    except OSError as error:
        raise RecordingError(f"{path!r} cannot be read: {error.strerror}") from None


def _read(file: BinaryIO, path: str) -> Recording:
    size = os.fstat(file.fileno()).st_size
    versions = _versions(file, path, size)
    found: Recording | None = None
    try:
        for chunk in chunks.scan(file):
            if found is None:
                found = Recording(path, size, _header(chunk))
            else:
                _take(found, chunk)
            found.chunks += 1
            if found.complete:
                break
    except RecordingError as error:
        raise RecordingError(f"{path!r}: {error}") from None
    if found is None:
        raise RecordingError(_no_header(file, path))
    if versions != (found.header.format, found.header.reader):
        raise RecordingError(f"{path!r} has a damaged header: its versions disagree")
    at = file.tell()
    found.lost = size - at
    if found.lost:
        found.damage = tail.damage(file.read(), at)
        if found.complete and found.damage is None:
            found.damage = Damage(at, None, ())
    return found


def _no_header(file: BinaryIO, path: str) -> str:
    if tail.damage(file.read(), file.tell()) is None:
        return f"{path!r} ends before its header: nothing can be replayed"
    return f"{path!r} has a damaged header: nothing can be replayed"


def _versions(file: BinaryIO, path: str, size: int) -> tuple[int, int]:
    """Return the versions of the format and of the oldest reader."""
    if not size:
        raise RecordingError(f"{path!r} is empty")
    head = file.read(len(chunks.MAGIC) + chunks.VERSIONS.size)
    if not head.startswith(chunks.MAGIC):
        if chunks.MAGIC.startswith(head):
            raise RecordingError(f"{path!r} has {size} bytes: its header is cut off")
        raise RecordingError(f"{path!r} is not a recording of Lapis")
    if len(head) < len(chunks.MAGIC) + chunks.VERSIONS.size:
        raise RecordingError(f"{path!r} has {size} bytes: its header is cut off")
    version, reader = chunks.VERSIONS.unpack_from(head, len(chunks.MAGIC))
    if reader > schema.FORMAT:
        raise RecordingError(
            f"{path!r} is of format {version} and needs a reader of format {reader}; "
            f"this one knows {schema.FORMAT}: a newer Lapis reads it"
        )
    return version, reader


def _header(chunk: Chunk) -> Header:
    if chunk.type != "HEAD":
        raise RecordingError(f"it begins with chunk {chunk.type} and not with HEAD")
    return _decode(chunk, Header)


def _decode(chunk: Chunk, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(chunk.body(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingError(
            f"chunk {chunk.type} at byte {chunk.at} is not what it should be: {error}"
        ) from None


def _decode_acts(chunk: Chunk) -> list[ActRow]:
    return _decode(chunk, schema.Acts)


def _take(found: Recording, chunk: Chunk) -> None:
    branch = found.last
    match chunk.type:
        case "ACTS":
            _add(branch, _decode_acts(chunk))
        case "FORK":
            _fork(found, _decode(chunk, ForkRow))
        case "TURN":
            _turn(found, _decode(chunk, TurnRow))
        case "CKPT":
            branch.checkpoints.append(_decode(chunk, CheckpointRow))
        case "hash":
            branch.hashes.append(_decode(chunk, HashRow))
        case "note":
            branch.notes.append(_decode(chunk, Annotation))
        case "DONE":
            _done(found, _decode(chunk, Trailer), chunk)
        case "HEAD":
            raise RecordingError(f"chunk HEAD at byte {chunk.at} is a second one")
        case _:
            found.skipped.append(chunk.type)
    most = min(MOST_ACTS, FREE_ACTS + found.size // BYTES)
    if found.acts > most:
        raise RecordingError(f"there are more than {most} acts, too many for its size")


def _turn(found: Recording, row: TurnRow) -> None:
    names = [branch.name for branch in found.branches]
    if row.name not in names:
        raise RecordingError(
            f"it goes on with branch {row.name[:40]!r}: there are {', '.join(names)}"
        )
    found.turn = names.index(row.name)


def _fork(found: Recording, row: ForkRow) -> None:
    names = [branch.name for branch in found.branches]
    if row.name in names or row.parent not in names:
        raise RecordingError(
            f"branch {row.name[:40]!r} of {row.parent[:40]!r}: there are "
            f"{', '.join(names)}"
        )
    branch = RecordedBranch(row.name, row.parent)
    found.branches.append(branch)
    found.turn = len(found.branches) - 1
    _add(branch, row.acts)


def _add(branch: RecordedBranch, rows: list[ActRow]) -> None:
    """Add acts, each of which must be one, and end no sooner than the one before.

    There may be a million: acts of the same shape are looked at once.
    """
    shapes = {
        (r.verb, r.reason == "", *r.args, *map(type, r.args.values())): r for r in rows
    }
    for row in shapes.values():
        try:
            replay.check(Act(row.verb, row.args))
        except ActError as error:
            raise RecordingError(str(error)) from None
        if bool(row.reason) != (row.verb in TIME_MOVING):
            raise RecordingError(f"act {row.verb} with reason {row.reason[:40]!r}")
    before = branch.acts[-1:]
    for name in ("retired", "seq", "now"):
        values = [getattr(row, name) for row in before + rows]
        if values != sorted(values) or (values and values[0] < 0):
            _refuse_order(before + rows)
    branch.acts += rows


def _refuse_order(rows: list[ActRow]) -> None:
    """Raise `RecordingError` for the first act that ends before it began."""
    at = (0, 0, 0)
    for row in rows:
        before, at = at, (row.retired, row.seq, row.now)
        if any(new < old for new, old in zip(at, before, strict=True)):
            raise RecordingError(
                f"act {row.verb} ends at instruction {row.retired}, event {row.seq}: "
                f"before it began"
            )


def _done(found: Recording, trailer: Trailer, chunk: Chunk) -> None:
    if trailer.acts != found.acts or trailer.chunks != found.chunks:
        raise RecordingError(
            f"chunk DONE at byte {chunk.at} counts {trailer.acts} acts in "
            f"{trailer.chunks} chunks; there are {found.acts} in {found.chunks}"
        )
    found.complete = True
