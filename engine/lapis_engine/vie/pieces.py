"""Accesses of one instruction to devices, each made once however often it is done over.

An instruction that waits is done over from its start once it has been answered. What
was read before is kept in the state, and so is which writes have gone out. An access
that begins in memory and ends in a device, or lies in two pages, is made in pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.loan import SIZES
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.units import PAGE
from lapis_engine.vie.pending import ask_read, ask_write
from lapis_engine.vie.state import VR_DONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.vie.state import VieState
    from lapis_engine.vie.world import LinearMemory, MmioBus


class Missing(Exception):  # noqa: N818 - the user's turn, not an error
    """The user owes an answer."""


def absorb(state: VieState) -> None:
    """Take over what the user has answered since the last time."""
    read, write = state.read, state.write
    if read.state == VR_DONE:
        state.reads[read.gpa, read.bytes] = read.data
        read.clear()
    if write.state == VR_DONE:
        state.written.append((write.gpa, write.bytes))
        write.clear()


def read_device(state: VieState, bus: MmioBus, gpa: int, size: int) -> int:
    """Read a device once; raise `Missing` when the user must answer."""
    known = state.reads.get((gpa, size))
    if known is not None:
        return known
    value = bus.read(gpa, size)
    if value is None:
        ask_read(state, gpa, size)
        raise Missing
    state.reads[gpa, size] = value = value & ((1 << (8 * size)) - 1)
    return value


def write_devices(
    state: VieState, bus: MmioBus, writes: list[tuple[int, int, int]]
) -> None:
    """Hand out writes, (gpa, bytes, value), in order and each once."""
    for gpa, size, value in writes[len(state.written) :]:
        if not bus.write(gpa, size, value):
            ask_write(state, gpa, size, value)
            raise Missing
        state.written.append((gpa, size))


def load(
    state: VieState,
    linear: LinearMemory,
    bus: MmioBus,
    address: int,
    size: int,
    *,
    user: bool,
) -> int:
    """Read linear memory or devices; raise `GuestFault` before anything is read."""
    pieces = list(_pieces(address, size))
    for at, _ in pieces:
        linear.translate(at, user=user)
    value = shift = 0
    for at, n in pieces:
        try:
            piece = int.from_bytes(linear.read(at, n, user=user), "little")
        except LinearHole as hole:
            piece = read_device(state, bus, hole.gpa, n)
        value |= piece << shift
        shift += 8 * n
    return value


def check_store(linear: LinearMemory, address: int, size: int, *, user: bool) -> None:
    """Raise the `GuestFault` that `store` would."""
    for at, _ in _pieces(address, size):
        linear.translate(at, write=True, user=user)


def store(
    state: VieState,
    linear: LinearMemory,
    bus: MmioBus,
    address: int,
    data: bytes,
    *,
    user: bool,
) -> None:
    """Write linear memory or devices: devices first, for they may have to wait."""
    check_store(linear, address, len(data), user=user)
    devices, memory = [], []
    for at, n in _pieces(address, len(data)):
        piece = data[at - address : at - address + n]
        try:
            linear.read(at, n, user=user)  # is it memory at all?
            memory.append((at, piece))
        except LinearHole as hole:
            devices.append((hole.gpa, n, int.from_bytes(piece, "little")))
    write_devices(state, bus, devices)
    for at, piece in memory:
        linear.write(at, piece, user=user)


def _pieces(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Return (address, bytes): all of it in one page, else aligned pieces."""
    if address % PAGE + size <= PAGE:
        yield address, size
        return
    while size:
        n = next(n for n in SIZES if n <= size and address % n == 0)
        yield address, n
        address, size = address + n, size - n
