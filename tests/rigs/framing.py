"""Files of recordings made by the book: chunk by chunk, of whatever is wanted."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from rigs import recordings

BEGIN = b"\x89LAPIS\r\n\x08\0\x08\0"
GUEST = Path(__file__).parents[1] / "guests" / "hlt-loop.bin"


def chunk(kind: bytes, value: Any, *, packed: bool = False) -> bytes:
    """Frame a value, or bytes as they are."""
    body = value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
    body = zlib.compress(body) if packed else body
    front = struct.pack("<I4sB", len(body), kind, packed) + body
    return front + struct.pack("<II", zlib.crc32(front), len(body))


def header() -> list[Any]:
    """Return the header of a guest that waits in HLT."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.lapis"
        recordings.record(path, ("run 3",), str(GUEST), cpus=1, memory="1M")
        data = path.read_bytes()
    size, _, codec = struct.unpack_from("<I4sB", data, len(BEGIN))
    body = data[len(BEGIN) + 9 :][:size]
    found: list[Any] = msgspec.msgpack.decode(zlib.decompress(body) if codec else body)
    return found


def written(path: Path, head: list[Any], *rest: bytes) -> str:
    """Write a file of a header and chunks that are framed; return its name."""
    path.write_bytes(BEGIN + chunk(b"HEAD", head) + b"".join(rest))
    return str(path)


def nmi(seq: int = 0) -> list[Any]:
    """Return an act that takes no time."""
    return ["inject_nmi", {"number": 0}, 0, seq, 0, ""]
