"""Chunks of a recording: framed, checked, and compressed where that helps."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAGIC = b"\x89LAPIS\r\n"
VERSIONS = struct.Struct("<HH")
LEADER = struct.Struct("<I4sB")
TRAILER = struct.Struct("<II")
PLAIN, ZLIB = 0, 1
MOST = 64 << 20
"""Bytes of a body, compressed and not."""
WORTHWHILE = 128
"""Bytes from which a body is compressed."""
TYPES = {"HEAD", "ACTS", "FORK", "TURN", "CKPT", "hash", "note", "DONE"}
LARGEST = {"HEAD": MOST, "ACTS": 4 << 20, "FORK": 4 << 20, "CKPT": MOST}
"""Bytes of an expanded body of each type."""
SMALL = 1 << 20
"""The same for types that are not named there."""
DENSEST = 32
"""Times that a body of digests may grow when it is expanded: these hardly shrink."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; its body may still be compressed."""

    type: str
    codec: int
    raw: bytes
    at: int
    """Where it begins in the file."""

    @property
    def is_critical(self) -> bool:
        """Whether a reader that does not know it must give up."""
        return self.type[:1].isupper()

    def body(self) -> bytes:
        """Return the body; raise `RecordingError` when it cannot be expanded."""
        if self.codec == PLAIN:
            most = LARGEST.get(self.type, SMALL)
            if len(self.raw) > most:
                raise RecordingError(
                    f"chunk {self.type} at byte {self.at} has {len(self.raw)} bytes: "
                    f"{most} is the most"
                )
            return self.raw
        if self.codec != ZLIB:
            raise RecordingError(
                f"chunk {self.type} at byte {self.at} is packed in an unknown way "
                f"({self.codec})"
            )
        most = largest(self.type, len(self.raw))
        unpacker = zlib.decompressobj()
        try:
            body = unpacker.decompress(self.raw, most)
        except zlib.error as error:
            raise RecordingError(
                f"chunk {self.type} at byte {self.at} cannot be expanded: {error}"
            ) from None
        if not unpacker.eof and len(body) < most:
            raise RecordingError(
                f"chunk {self.type} at byte {self.at} cannot be expanded: it is cut off"
            )
        if not unpacker.eof:
            raise RecordingError(
                f"chunk {self.type} at byte {self.at} expands to more than {most} bytes"
            )
        return body


def largest(kind: str, packed: int) -> int:
    """Return how many bytes a body may have that is so many when compressed."""
    most = LARGEST.get(kind, SMALL)
    return min(most, SMALL + DENSEST * packed) if kind == "CKPT" else most


def encode(kind: str, body: bytes) -> bytes:
    """Return a whole chunk."""
    codec = PLAIN
    if len(body) >= WORTHWHILE:
        packed = zlib.compress(body, 6)
        if len(packed) < len(body):
            codec, body = ZLIB, packed
    head = LEADER.pack(len(body), kind.encode("ascii"), codec)
    crc = zlib.crc32(body, zlib.crc32(head))
    return head + body + TRAILER.pack(crc, len(body))


def scan(file: BinaryIO) -> Iterator[Chunk]:
    """Yield whole chunks from where `file` stands, up to the first that is not whole.

    The file then stands where that one begins. Raises `RecordingError` for a critical
    chunk of an unknown type.
    """
    while True:
        at = file.tell()
        chunk = _next(file, at)
        if chunk is None:
            file.seek(at)
            return
        if chunk.is_critical and chunk.type not in TYPES:
            raise RecordingError(
                f"chunk {chunk.type} at byte {at} is of a kind that this version of "
                f"Lapis does not know and must not skip"
            )
        yield chunk


def _next(file: BinaryIO, at: int) -> Chunk | None:
    head = file.read(LEADER.size)
    if len(head) < LEADER.size:
        return None
    length, kind, codec = LEADER.unpack(head)
    if length > MOST:
        return None
    rest = file.read(length + TRAILER.size)
    if len(rest) < length + TRAILER.size:
        return None
    raw = rest[:length]
    crc, again = TRAILER.unpack_from(rest, length)
    if again != length or zlib.crc32(raw, zlib.crc32(head)) != crc:
        return None
    try:
        return Chunk(kind.decode("ascii"), codec, raw, at)
    except UnicodeDecodeError:
        return None
