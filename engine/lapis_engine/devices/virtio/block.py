"""virtio-blk: a disk whose contents are given, and what the guest wrote over them.

Source: VIRTIO 1.1 "Block Device".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit
from lapis_engine.devices.virtio import interrupts, layout, ring
from lapis_engine.devices.virtio.assembly import assemble
from lapis_engine.devices.virtio.backend import Done
from lapis_engine.devices.virtio.regs import QUEUE_MAX
from lapis_engine.devices.virtio.state import VirtioState
from lapis_engine.units import MIB, SECTOR

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device, Dma
    from lapis_engine.devices.virtio.ring import Chain

OVERLAY: Final = 4096
"""Bytes that are kept together of what was written, at a multiple of them."""
LARGEST: Final = 64 * MIB
"""Bytes of data of a request at most."""
SEGMENTS: Final = QUEUE_MAX - 2
"""Pieces of data in a request at most; header and status take the other two."""

SEG_MAX: Final = bit(2)
"""Feature: the configuration says how many pieces of data a request may have."""
GEOMETRY: Final = bit(4)
"""Feature: it says cylinders, heads and sectors, too."""
BLK_SIZE: Final = bit(6)
"""Feature: and the bytes of a block."""
FLUSH_THERE: Final = bit(9)
"""Feature: the flush command."""
FEATURES: Final = SEG_MAX | GEOMETRY | BLK_SIZE | FLUSH_THERE


class Request:
    """Types of requests, as the guest sees them."""

    READ: Final = 0
    WRITE: Final = 1
    FLUSH: Final = 4
    GET_ID: Final = 8


HEADER_SIZE: Final = 16
"""Bytes before the data: type, reserved and sector; 4, 4 and 8 bytes."""

OK: Final = 0
"""Status, the last byte of a request."""
IO_ERROR: Final = 1
UNSUPPORTED: Final = 2

NAME: Final = b"lapis-disk".ljust(20, b"\0")
HEADS: Final = 16
TRACK: Final = 63
"""Sectors of a track, as old software has them."""
MOST_CYLINDERS: Final = 16_383

HEADER: Final = layout.header(2, 0x01_0000, 0x80)


@dataclass(slots=True)
class BlockState(VirtioState):
    """What the disk remembers."""

    config: bytes = HEADER.reset
    overlay: dict[int, bytes] = field(default_factory=dict)
    """Blocks that are not as they were given, by number."""


class Disk:
    """The disk as a `Backend`."""

    features: int = FEATURES

    def __init__(self, data: bytes) -> None:
        """Hold `data`, whole sectors, which is never changed."""
        self._data = data
        self._size = len(data)
        capacity = self._size // SECTOR
        cylinders = min(capacity // (HEADS * TRACK), MOST_CYLINDERS)
        self._config = struct.pack(
            "<QIIHBBI36x", capacity, 0, SEGMENTS, cylinders, HEADS, TRACK, SECTOR
        )

    def config(self) -> bytes:
        """Return capacity, geometry and block size."""
        return self._config

    def serve(self, state: BlockState, chain: Chain, dma: Dma) -> Done:
        """Do a request; may raise `ring.MalformedError`."""
        room = ring.total(chain.into) - 1
        given = ring.total(chain.out) - HEADER_SIZE
        if room < 0 or given < 0:
            raise ring.MalformedError("a request without header or status")
        header = ring.gather(dma, ring.part(chain.out, 0, HEADER_SIZE))
        if header is None:
            raise ring.MalformedError("the header of a request is not in memory")
        kind, _, sector = struct.unpack("<IIQ", header)
        status, data, oddity = self._do(state, dma, chain, kind, sector * SECTOR)
        if data and not ring.scatter(dma, ring.part(chain.into, 0, len(data)), data):
            status, data, oddity = IO_ERROR, b"", "its buffer is not all RAM"
        if not ring.scatter(dma, ring.part(chain.into, room, 1), bytes((status,))):
            raise ring.MalformedError("the status of a request is not in RAM")
        if oddity is not None:
            oddity = f"request of type {kind} for sector {sector} fails: {oddity}"
        return Done(len(data) + 1, oddity)

    def _do(
        self, state: BlockState, dma: Dma, chain: Chain, kind: int, first: int
    ) -> tuple[int, bytes, str | None]:
        """Return status, what the guest gets, and what is odd."""
        room = ring.total(chain.into) - 1
        match kind:
            case Request.READ:
                why = self._refusal(first, room)
                if why is not None:
                    return IO_ERROR, b"", why
                return OK, self.read(state, first, room), None
            case Request.WRITE:
                return self._take(state, dma, chain, first)
            case Request.FLUSH:
                return OK, b"", None
            case Request.GET_ID:
                return OK, NAME[:room], None
            case _:
                return UNSUPPORTED, b"", None

    def _take(
        self, state: BlockState, dma: Dma, chain: Chain, first: int
    ) -> tuple[int, bytes, str | None]:
        """Write what the guest gives."""
        size = ring.total(chain.out) - HEADER_SIZE
        why = self._refusal(first, size)
        if why is not None:
            return IO_ERROR, b"", why
        data = ring.gather(dma, ring.part(chain.out, HEADER_SIZE, size))
        if data is None:
            return IO_ERROR, b"", "its buffer is not all memory"
        self.write(state, first, data)
        return OK, b"", None

    def _refusal(self, first: int, size: int) -> str | None:
        """Return why these bytes cannot be read or written, or None."""
        if size % SECTOR:
            return f"{size} bytes are not whole sectors"
        if size > LARGEST:
            return f"{size} bytes at once"
        if first + size > self._size:
            return f"the disk has {self._size // SECTOR} sectors"
        return None

    def read(self, state: BlockState, first: int, size: int) -> bytes:
        """Return bytes of the disk as it is at present."""
        end = first + size
        pieces = []
        for number in range(first // OVERLAY, -(-end // OVERLAY)):
            start = number * OVERLAY
            block = state.overlay.get(number)
            if block is None:
                pieces.append(self._data[max(start, first) : min(start + OVERLAY, end)])
            else:
                pieces.append(block[max(first - start, 0) : end - start])
        return b"".join(pieces)

    def write(self, state: BlockState, first: int, data: bytes) -> None:
        """Change bytes of the disk."""
        end = first + len(data)
        for number in range(first // OVERLAY, -(-end // OVERLAY)):
            start = number * OVERLAY
            low, high = max(first, start), min(end, start + OVERLAY)
            piece = data[low - first : high - first]
            if len(piece) < OVERLAY:
                old = state.overlay.get(number) or self._data[start : start + OVERLAY]
                piece = old[: low - start] + piece + old[high - start :]
            state.overlay[number] = piece


def device(
    disk: bytes, slot: int, *, needs_hint: bool = False, redirects: bool = False
) -> Device:
    """Return a disk, function 0 of device `slot` on PCI bus 0.

    Args:
        disk: What is on it at first, whole sectors of 512 bytes; it is never changed.
        slot: Device number.
        needs_hint: As `msi.decode` has it (`profile.msi_needs_hint`).
        redirects: As `msi.decode` has it (`profile.msi_hint_redirects`).
    """
    wires = interrupts.Wires("virtio-blk", slot, needs_hint, redirects)
    return assemble(wires, HEADER, Disk(disk), BlockState(), frozenset({"overlay"}))
