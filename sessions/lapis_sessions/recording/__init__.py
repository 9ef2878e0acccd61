"""Recordings: what was done to a machine, in a file that proves itself.

A `.lapis` file holds what the machine was made of and every act from outside, with the
instruction count at which it took effect. What went on inside is computed anew by who
replays it, and compared with the hashes on the way.

Layout
------

::

    magic     8 bytes   89 4C 41 50 49 53 0D 0A
    format    u16       `schema.FORMAT`; numbers are little-endian
    reader    u16       oldest format version that a reader must know
    chunk ...           the first is HEAD, the last of a complete file is DONE

    chunk:    length    u32   bytes of the body, at most 64 MiB
              type      4 ASCII letters; a small first letter may be skipped
              codec     u8    0: as it is, 1: zlib
              body      `length` bytes
              crc       u32   CRC-32 of length, type, codec and body
              length    u32   once more, for who reads backwards

Bodies are MessagePack (`schema`): HEAD one `Header`, ACTS a list of `ActRow`, FORK one
`ForkRow`, TURN one `TurnRow`, CKPT one `CheckpointRow`, `hash` a `HashRow`, `note` an
`Annotation`, DONE a `Trailer`. What comes belongs to the branch of the last FORK or
TURN, and to `main` before the first. A file that ends within a chunk is read up to the
last whole one. What cannot be read is cut off when it is the beginning of a chunk, and
damaged when the bytes of a chunk are all there and do not fit their checksum
(`format.tail`); the header repeats the versions, which no checksum covers. How large
each may be says `chunks`, how long lists may be `schema`, and `format.budget` how much
there may be in all, which is counted before it is taken: reading a file of 64 MiB is
to take 512 MiB and five seconds at most. Who writes keeps to the same.

A recording begins with the machine. A session knows all of its past, up to
`timeline.MOST_ENTRIES` acts of a branch; one that has forgotten its beginning can no
longer be recorded, and says so. What is being recorded to a file is never forgotten.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lapis_sessions.recording.format import reader

__all__ = ["reader"]


def __getattr__(name: str) -> Any:
    """Load the reader when it is asked for here (PEP 562)."""
    if name == "reader":
        return import_module("lapis_sessions.recording.format.reader")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
