"""A recording as the bytes of its file: what `Writer` writes as it goes, in one go.

Chunks that this version does not know are not in a `Recording`, and are not written.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import chunks, schema
from lapis_sessions.recording.format.schema import ForkRow, Trailer, TurnRow
from lapis_sessions.recording.format.stored import StoredCheckpoint
from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_sessions.recording.format.reader import RecordedBranch
    from lapis_sessions.recording.format.schema import Header, Row

    Mark = Row | StoredCheckpoint

AT_ONCE = 4096
"""Acts of a chunk at most."""


def compose(
    head: Header, branches: Sequence[RecordedBranch], last: str = ""
) -> Iterator[bytes]:
    """Yield the file in pieces; raise `RecordingError` for what fits in no chunk.

    Args:
        head: Its header.
        branches: `main`, and the others in the order in which they were begun.
        last: The branch that was gone on with last, where that is not the last one.
    """
    yield chunks.MAGIC + chunks.VERSIONS.pack(schema.FORMAT, schema.READER)
    versions = {"format": schema.FORMAT, "reader": schema.READER}
    yield _chunk("HEAD", msgspec.structs.replace(head, **versions))
    count = 1
    for kind, body in chain.from_iterable(map(_branch, branches)):
        yield _chunk(kind, body)
        count += 1
    if last not in {"", branches[-1].name}:
        yield _chunk("TURN", TurnRow(last))
        count += 1
    acts = sum(len(branch.acts) for branch in branches)
    yield _chunk("DONE", Trailer(acts, count))


def _branch(branch: RecordedBranch) -> Iterator[tuple[str, Row | list[Row]]]:
    """Yield the chunks of a branch: each mark comes right after the acts before it."""
    at = 0
    if branch.name != FIRST:
        yield "FORK", ForkRow(branch.name, branch.parent, [])
    for kind, row, acts in _marks(branch):
        yield from _acts(branch, at, acts)
        at = max(at, acts)
        yield kind, row.row if isinstance(row, StoredCheckpoint) else row
    yield from _acts(branch, at, len(branch.acts))


def _marks(branch: RecordedBranch) -> list[tuple[str, Mark, int]]:
    found: list[tuple[str, Mark, int]] = []
    found += [("hash", row, row.acts) for row in branch.hashes]
    found += [("CKPT", row, row.acts) for row in branch.checkpoints]
    found += [("note", row, row.acts) for row in branch.notes]
    return sorted(found, key=lambda mark: mark[2])


def _acts(
    branch: RecordedBranch, begin: int, end: int
) -> Iterator[tuple[str, list[Row]]]:
    for at in range(begin, end, AT_ONCE):
        yield "ACTS", list(branch.acts[at : min(at + AT_ONCE, end)])


def _chunk(kind: str, body: Row | list[Row]) -> bytes:
    raw = msgspec.msgpack.encode(body)
    chunk = chunks.encode(kind, raw)
    most = chunks.largest(kind, len(chunk))
    if len(raw) > most:
        raise RecordingError(f"chunk {kind} has {len(raw)} bytes: {most} is the most")
    return chunk
