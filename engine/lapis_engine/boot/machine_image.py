"""Machine images: the memory of a machine that ran elsewhere, and its state.

A machine of ours begins with it as another begins with a kernel, and a recording holds
it as it holds a kernel. The file, numbers little-endian:

    8 bytes       `MAGIC`
    u32, u32      version, and bytes of the head
    head          JSON: memory, runs, roms, and the fields of `MachineState`
    pieces        of each of runs and then roms, zlib, one after the other

memory: bytes of RAM.
runs, roms: lists of [guest-physical address, bytes, bytes when packed]. RAM that is in
    no run is zero.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

from lapis_engine import ram
from lapis_engine.boot.image import Blob, BootPlan, SavedEntry
from lapis_engine.boot.machine_state import from_plain, to_plain
from lapis_engine.boot.request import without_files
from lapis_engine.errors import ImageError
from lapis_engine.units import MIB, PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lapis_engine.boot.machine_state import MachineState
    from lapis_engine.boot.request import BootRequest

MAGIC: Final = b"\x89LAPISM\n"
IMAGE_VERSION: Final = 1
HEAD: Final = struct.Struct("<II")
ZERO: Final = bytes(PAGE)
LARGEST_HEAD: Final = 16 * MIB
LARGEST_RUN: Final = 1 * MIB
"""Bytes of RAM that are packed together."""
BLANK_RUN: Final = bytes(LARGEST_RUN)
LARGEST_ROM: Final = 16 * MIB

Piece = tuple[int, int, bytes]
"""Guest-physical address, bytes, and they packed."""


def takes(data: bytes) -> bool:
    """Tell whether a file is a machine image."""
    return data.startswith(MAGIC)


def runs(first: int, data: bytes) -> Iterator[Piece]:
    """Yield what of `data`, whole pages from address `first`, is not zero, packed."""
    at = 0
    while at < len(data):
        if data[at : at + LARGEST_RUN] == BLANK_RUN:  # most of it, as a rule
            at += LARGEST_RUN
            continue
        if _is_blank(data, at):
            at += PAGE
            continue
        end = at + PAGE
        while end < min(len(data), at + LARGEST_RUN) and not _is_blank(data, end):
            end += PAGE
        yield first + at, end - at, packed(data[at:end])
        at = end


def packed(data: bytes) -> bytes:
    """Return a piece as it is in the file."""
    return zlib.compress(data, 1)


def _is_blank(data: bytes, at: int) -> bool:
    return data[at : at + PAGE] == ZERO


def encode(
    state: MachineState, memory: int, found: Sequence[Piece], roms: Iterable[Piece] = ()
) -> bytes:
    """Return the file for a machine with `memory` bytes of RAM."""
    roms = list(roms)
    head = to_plain(state) | {
        "memory": memory,
        "runs": [(first, size, len(packed)) for first, size, packed in found],
        "roms": [(first, size, len(packed)) for first, size, packed in roms],
    }
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    pieces = (packed for _, _, packed in (*found, *roms))
    return b"".join((MAGIC, HEAD.pack(IMAGE_VERSION, len(text)), text, *pieces))


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to go on with the machine in `data`; raise `ImageError`.

    The machine must have as many vCPUs and as much RAM as the one that it was.
    """
    without_files(request, "a machine image")
    head, at = _head(data)
    state = from_plain(head)
    _check_size(request, len(state.processors), head.get("memory"))
    blobs: list[Blob] = []
    left = request.memory + LARGEST_ROM
    for name, is_rom in (("runs", False), ("roms", True)):
        for first, size, packed in _rows(head.get(name)):
            end = at + packed
            most = LARGEST_ROM if is_rom else LARGEST_RUN
            if not 0 < size <= most or first % PAGE or size % PAGE:
                raise ImageError(f"{size} bytes at {first:#x} are no whole pages of it")
            if is_rom and not ram.HOLE <= first <= ram.HIGH - size:
                raise ImageError(f"a ROM at {first:#x} is not where devices are")
            left -= size
            if left < 0:
                raise ImageError("the machine image has more memory than the machine")
            blobs.append(Blob(first, _expanded(data[at:end], size), is_rom))
            at = end
    if at != len(data):
        raise ImageError(f"the machine image has {len(data)} bytes and not {at}")
    return BootPlan("machine image", tuple(blobs), SavedEntry(state))


def _head(data: bytes) -> tuple[dict[str, Any], int]:
    """Return the head of an image, and where the pieces begin."""
    at = len(MAGIC) + HEAD.size
    if len(data) < at:
        raise ImageError("the machine image is cut off")
    version, size = HEAD.unpack_from(data, len(MAGIC))
    if version != IMAGE_VERSION:
        raise ImageError(
            f"it is a machine image of version {version}; {IMAGE_VERSION} is read"
        )
    if size > min(LARGEST_HEAD, len(data) - at):
        raise ImageError("the machine image is cut off in its head")
    try:
        head = json.loads(data[at : at + size].decode("ascii"))
    except (ValueError, RecursionError):
        raise ImageError("the head of the machine image is no JSON") from None
    if not isinstance(head, dict):
        raise ImageError("the head of the machine image is no object")
    return head, at + size


def _check_size(request: BootRequest, cpus: int, memory: Any) -> None:
    if type(memory) is not int:
        raise ImageError("the machine image does not say how much RAM there is")
    if (cpus, memory) != (request.cpus, request.memory):
        raise ImageError(
            f"the machine image is of {cpus} vCPUs and {memory >> 20} MiB, and this "
            f"machine has {request.cpus} and {request.memory >> 20}: give --cpus "
            f"{cpus} --memory {memory >> 20}M"
        )


def _rows(given: Any) -> Iterator[tuple[int, int, int]]:
    for row in given if isinstance(given, list) else ():
        if (
            not isinstance(row, list)
            or len(row) != 3
            or any(type(each) is not int or each < 0 for each in row)
        ):
            raise ImageError(f"{repr(row)[:40]} is no piece of a machine image")
        yield row[0], row[1], row[2]


def _expanded(packed: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(packed, size)
    except zlib.error:
        found = b""
    if len(found) != size or not stream.eof:
        raise ImageError("the machine image is damaged")
    return found
