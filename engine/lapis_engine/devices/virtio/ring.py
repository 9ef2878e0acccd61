"""The split virtqueue: requests out of the available ring, and back by the used ring.

Source: VIRTIO 1.1 "Split Virtqueues". Everything is the guest's memory, and nothing of
it is believed: what cannot be raises `MalformedError`, which stays within the device.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices.virtio import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Dma
    from lapis_engine.devices.virtio.state import QueueState

Pieces = tuple[tuple[int, int], ...]
"""(Guest-physical address, bytes) of the parts of a buffer."""


class MalformedError(Exception):
    """A queue holds what no driver may put there; the device needs a reset."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A request: what the device reads, and what it writes."""

    head: int
    """Number of its first descriptor, by which it is given back."""
    out: Pieces
    into: Pieces


def read(dma: Dma, gpa: int, size: int, what: str) -> bytes:
    """Return memory of a queue; raise `MalformedError` where there is none."""
    found = dma.read(gpa, size)
    if found is None:
        raise MalformedError(f"{what} at {gpa:#x} is not in memory")
    return found


def _number(dma: Dma, gpa: int, what: str) -> int:
    return int.from_bytes(read(dma, gpa, 2, what), "little")


def _write(dma: Dma, gpa: int, data: bytes) -> None:
    if not dma.write(gpa, data):
        raise MalformedError(f"the used ring at {gpa:#x} is not in RAM")


def waiting(dma: Dma, queue: QueueState) -> int:
    """Return how many requests the driver offers; may raise `MalformedError`."""
    count = (
        _number(dma, queue.driver + 2, "the available ring") - queue.taken
    ) & 0xFFFF
    if count > queue.size:
        raise MalformedError(f"{count} requests in a queue of {queue.size}")
    return count


def take(dma: Dma, queue: QueueState, features: int) -> Chain:
    """Take the next request, which is `waiting`; may raise `MalformedError`."""
    at = queue.driver + 4 + 2 * (queue.taken % queue.size)
    head = _number(dma, at, "the available ring")
    queue.taken = (queue.taken + 1) & 0xFFFF
    if features & regs.EVENT_IDX:
        event = queue.device + 4 + 8 * queue.size
        _write(dma, event, queue.taken.to_bytes(2, "little"))
    return _walk(dma, queue, head, features)


def _walk(dma: Dma, queue: QueueState, head: int, features: int) -> Chain:
    """Follow a chain of descriptors, through a table of them if it is indirect."""
    out: list[tuple[int, int]] = []
    into: list[tuple[int, int]] = []
    table, count, number = queue.desc, queue.size, head
    is_indirect = False
    for _ in range(regs.QUEUE_MAX + 1):
        if number >= count:
            raise MalformedError(f"descriptor {number} of {count}")
        raw = read(dma, table + regs.DESC_SIZE * number, regs.DESC_SIZE, "a descriptor")
        gpa, size, flags, number = struct.unpack("<QIHH", raw)
        if flags & regs.INDIRECT:
            if is_indirect or flags & regs.NEXT or not features & regs.INDIRECT_DESC:
                raise MalformedError("an indirect descriptor where none can be")
            if size % regs.DESC_SIZE:
                raise MalformedError(f"an indirect table of {size} bytes")
            table, count, number, is_indirect = gpa, size // regs.DESC_SIZE, 0, True
            continue
        if not flags & regs.WRITE and into:
            raise MalformedError("a descriptor to read behind one to write")
        if size:
            (into if flags & regs.WRITE else out).append((gpa, size))
        if not flags & regs.NEXT:
            return Chain(head, tuple(out), tuple(into))
    raise MalformedError(
        f"a chain of more than {regs.QUEUE_MAX} descriptors, or a loop"
    )


def give_back(dma: Dma, queue: QueueState, head: int, written: int) -> None:
    """Give a request back, `written` bytes of it; may raise `MalformedError`."""
    at = queue.device + 4 + 8 * (queue.used % queue.size)
    _write(dma, at, struct.pack("<II", head, written))
    queue.used = (queue.used + 1) & 0xFFFF
    _write(dma, queue.device + 2, queue.used.to_bytes(2, "little"))


def wants_interrupt(dma: Dma, queue: QueueState, before: int, features: int) -> bool:
    """Tell whether the driver is to be told, `before` being `used` of last time.

    "Used Buffer Notification Suppression". May be `MalformedError`.
    """
    if not features & regs.EVENT_IDX:
        return not _number(dma, queue.driver, "the available ring") & regs.NO_INTERRUPT
    event = _number(dma, queue.driver + 4 + 2 * queue.size, "the used event")
    new = queue.used
    return (new - event - 1) & 0xFFFF < (new - before) & 0xFFFF


# Buffers.


def total(pieces: Pieces) -> int:
    """Return the bytes of a buffer."""
    return sum(size for _, size in pieces)


def part(pieces: Pieces, first: int, size: int) -> Pieces:
    """Return `size` bytes of a buffer from its byte `first` on."""
    found: list[tuple[int, int]] = []
    for gpa, there in pieces:
        skipped = min(first, there)
        taken = min(there - skipped, size)
        if taken:
            found.append((gpa + skipped, taken))
        first, size = first - skipped, size - taken
    return tuple(found)


def gather(dma: Dma, pieces: Pieces) -> bytes | None:
    """Return what a buffer holds, or None where not all of it is memory."""
    found = [dma.read(gpa, size) for gpa, size in pieces]
    held = [each for each in found if each is not None]
    return b"".join(held) if len(held) == len(found) else None


def scatter(dma: Dma, pieces: Pieces, data: bytes) -> bool:
    """Store `data` in a buffer that is as large; tell whether all of it is RAM."""
    at = 0
    for gpa, size in pieces:
        if not dma.write(gpa, data[at : at + size]):
            return False
        at += size
    return True
