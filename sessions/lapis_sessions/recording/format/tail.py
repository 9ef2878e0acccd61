"""What the end of a recording is that holds no whole chunk: cut off, or damaged.

A file that was cut off is the beginning of one that was whole: its last chunk
announces more bytes than there are. A damaged one has a chunk whose bytes are all there
and do not agree with their checksum, or something whole after the place where nothing
fits.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.recording.format.chunks import LEADER, MOST, TRAILER, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = re.compile(b"|".join(sorted(kind.encode() for kind in TYPES)))
TWICE = 2
"""How often each byte after a damaged place is looked at, at most: what a hostile file
makes one compute is in proportion to its size."""
LOOKS = 400_000
"""Places that look like a chunk, at most: as many as a file may have."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where a recording is no longer what was written."""

    at: int
    """Byte at which the chunk begins that cannot be read."""
    kind: str | None
    """Its type, or None where that is not one that exists."""
    after: tuple[tuple[str, int], ...]
    """(type, how many) of the chunks behind it that are whole."""

    @property
    def text(self) -> str:
        """The damage in words."""
        if self.kind is None:
            what = "what is there is no chunk"
        else:
            what = f"chunk {self.kind} fails its checksum"
        rest = ", ".join(f"{many} {kind}" for kind, many in self.after)
        tail = f"whole after it, and not replayed without it: {rest}"
        tail = tail if rest else "nothing after it is whole"
        return f"damaged at byte {self.at}: {what}; {tail}"


def damage(tail: bytes, at: int) -> Damage | None:
    """Return what is wrong with the bytes from `at` on, or None if they are cut off."""
    found = tuple(_whole(tail))
    if not found and not _is_all_there(tail):
        return None
    kind = tail[4:8].decode("ascii", "replace")
    counted = tuple(sorted(Counter(found).items()))
    return Damage(at, kind if kind in TYPES else None, counted)


def _is_all_there(tail: bytes) -> bool:
    """Tell whether no byte of the first chunk is missing, though it is not whole."""
    if len(tail) < LEADER.size:
        return False
    length = int.from_bytes(tail[:4], "little")
    if length <= MOST and LEADER.size + length + TRAILER.size <= len(tail):
        return True
    # Its length may be what is damaged: then the one at its end is still right.
    return _is_chunk(tail, 0, len(tail) - LEADER.size - TRAILER.size)


def _is_chunk(data: bytes, at: int, length: int) -> bool:
    """Tell whether a chunk with a body of `length` bytes begins at `at`."""
    end = at + LEADER.size + length
    if not 0 <= length <= MOST or end + TRAILER.size > len(data):
        return False
    crc, again = TRAILER.unpack_from(data, end)
    head = struct.pack("<I", length) + data[at + 4 : at + LEADER.size]
    body = data[at + LEADER.size : end]
    return bool(again == length and zlib.crc32(body, zlib.crc32(head)) == crc)


def _whole(tail: bytes) -> Iterator[str]:
    """Yield the type of each whole chunk that begins after the first byte."""
    budget, at = TWICE * len(tail), 1
    for _ in range(LOOKS):
        match = KINDS.search(tail, at + 4) if budget > 0 else None
        if match is None:
            return
        start = match.start() - 4
        length = int.from_bytes(tail[start : start + 4], "little")
        size = LEADER.size + length + TRAILER.size
        if start + size <= len(tail) and _ends_alike(tail, start, length):
            budget -= length
            if _is_chunk(tail, start, length):
                yield match[0].decode()
                at = start + size
                continue
        at = start + 1


def _ends_alike(tail: bytes, start: int, length: int) -> bool:
    end = start + LEADER.size + length + TRAILER.size
    return int.from_bytes(tail[end - 4 : end], "little") == length
