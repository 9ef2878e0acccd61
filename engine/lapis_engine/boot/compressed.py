"""Compressed images: a gzip file is opened as GRUB opens it.

Source: RFC 1952 "GZIP file format specification version 4.3". Other compressions are
known by name only (`foreign`).
"""

from __future__ import annotations

import zlib
from typing import Final

from lapis_engine.errors import ImageError

GZIP: Final = b"\x1f\x8b\x08"
"""ID1, ID2 and the only compression method, deflate."""
RESERVED_FLAGS: Final = 0xE0
WITH_HEADER: Final = 16 + zlib.MAX_WBITS
"""zlib's argument for a gzip header and trailer."""
LARGEST: Final = 256 << 20
"""Most bytes that an image may have after decompression."""


def is_gzip(data: bytes) -> bool:
    """Tell whether `data` begins as a gzip file does."""
    return data[:3] == GZIP and len(data) > 3 and not data[3] & RESERVED_FLAGS


def expanded(data: bytes) -> bytes:
    """Return what an image is, decompressed if need be.

    Raises:
        ImageError: The gzip file is damaged, cut off or too large. What follows its
            first member is not looked at.
    """
    if not is_gzip(data):
        return data
    stream = zlib.decompressobj(WITH_HEADER)
    try:
        found = stream.decompress(data, LARGEST)
    except zlib.error:
        raise ImageError("the gzip file is damaged") from None
    if stream.eof:
        return found
    if len(found) >= LARGEST:
        raise ImageError(f"the gzip file has more than {LARGEST >> 20} MiB inside")
    raise ImageError("the gzip file is cut off")
