"""Chunks of a recording: framed, checked, and compressed where that helps."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import visible

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

    @property
    def part(self) -> str:
        """What it is called in a refusal."""
        return f"chunk {visible(self.type)} at byte {self.at}"

    def __str__(self) -> str:
        """Return the same."""
        return self.part

    def body(self, left: int = MOST) -> bytes:
        """Return the body; raise `RecordingError` when it cannot be expanded.

        `left` says how many bytes all that are still to come may have.
        """
        if self.codec == PLAIN:
            most = min(LARGEST.get(self.type, SMALL), left)
            if len(self.raw) > most:
                raise RecordingError(
                    f"{self.part} has {len(self.raw)} bytes: {most} is the most"
                )
            return self.raw
        if self.codec != ZLIB:
            raise RecordingError(
                f"{self.part} is packed in an unknown way ({self.codec})"
            )
        return self._expanded(min(largest(self.type, len(self.raw)), left))

    def _expanded(self, most: int) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            body = unpacker.decompress(self.raw, most + 1)
        except zlib.error as error:
            raise RecordingError(f"{self.part} cannot be expanded: {error}") from None
        if len(body) > most:
            raise RecordingError(f"{self.part} expands to more than {most} bytes")
        if not unpacker.eof:
            raise RecordingError(f"{self.part} cannot be expanded: it is cut off")
        if unpacker.unused_data:
            raise RecordingError(
                f"{self.part} has {len(unpacker.unused_data)} bytes after its end"
            )
        return body


def largest(kind: str, packed: int) -> int:
    """Return how many bytes a body may have that is so many when compressed."""
    most = LARGEST.get(kind, SMALL)
    return min(most, SMALL + DENSEST * packed) if kind == "CKPT" else most


def pack(body: bytes) -> tuple[int, bytes]:
    """Return how a body is packed, and it."""
    if len(body) >= WORTHWHILE:
        packed = zlib.compress(body, 6)
        if len(packed) < len(body):
            return ZLIB, packed
    return PLAIN, body


def encode(kind: str, body: bytes) -> bytes:
    """Return a whole chunk."""
    codec, body = pack(body)
    head = LEADER.pack(len(body), kind.encode("ascii"), codec)
    crc = zlib.crc32(body, zlib.crc32(head))
    return head + body + TRAILER.pack(crc, len(body))


def scan(file: BinaryIO) -> Iterator[Chunk]:
    """Yield whole chunks from where `file` stands, up to the first that is not whole.

    The file then stands where that one begins. Raises `RecordingError` for a critical
    chunk of an unknown type.
    """
    at = file.tell()
    while True:
        chunk = _next(file, at)
        if chunk is None:
            file.seek(at)
            return
        if chunk.is_critical and chunk.type not in TYPES:
            raise RecordingError(
                f"{chunk.part} is of a kind that this version of Lapis does not know "
                f"and must not skip"
            )
        yield chunk
        at += LEADER.size + len(chunk.raw) + TRAILER.size


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
