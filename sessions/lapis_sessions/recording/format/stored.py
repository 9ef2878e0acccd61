"""A checkpoint of a recording as the file holds it: its fields stay packed.

One of a guest with much memory has ten thousand fields, and a long recording many of
them; they are wanted only where a replay came to something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from lapis_sessions.recording.format import chunks, schema
from lapis_sessions.recording.format.schema import CheckpointRow, Row

if TYPE_CHECKING:
    from lapis_sessions.recording.format.chunks import Chunk

Fields = Annotated[dict[str, str], Meta(max_length=schema.PLENTY)]
FIELD = 280
"""Bytes that a field takes while all of them are looked at."""


class RawCheckpoint(Row, frozen=True):
    """A `CheckpointRow` whose fields are still packed."""

    acts: int
    retired: int
    digest: str
    fields: msgspec.Raw


def entries_of(packed: msgspec.Raw) -> int:
    """Return how many entries a packed map says that it has; 0 for what is none."""
    head = bytes(memoryview(packed)[:5])
    match head[0]:
        case 0xDE:
            return int.from_bytes(head[1:3], "big")
        case 0xDF:
            return int.from_bytes(head[1:5], "big")
        case small if small >> 4 == 0x8:
            return small & 0xF
    return 0


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A `CheckpointRow` that was looked at, and packed again."""

    acts: int
    retired: int
    digest: str
    codec: int
    packed: bytes
    """The whole row, as the body of a chunk."""

    @classmethod
    def of(cls, row: CheckpointRow) -> StoredCheckpoint:
        """Pack a row."""
        packed = chunks.pack(msgspec.msgpack.encode(row))
        return cls(row.acts, row.retired, row.digest, *packed)

    @classmethod
    def read(cls, row: RawCheckpoint, chunk: Chunk) -> StoredCheckpoint:
        """Keep a chunk, of which `row` is the body."""
        return cls(row.acts, row.retired, row.digest, chunk.codec, chunk.raw)

    @property
    def row(self) -> CheckpointRow:
        """The whole row; of acts it says what this does."""
        body = chunks.Chunk("CKPT", self.codec, self.packed, 0).body()
        row = msgspec.msgpack.decode(body, type=CheckpointRow)
        return msgspec.structs.replace(row, acts=self.acts)

    @property
    def fields(self) -> dict[str, str]:
        """Every field of the state."""
        return self.row.fields
