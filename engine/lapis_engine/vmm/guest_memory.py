"""Memory as a vCPU sees it: looked at without a trace, or read as a guest would.

`read` and `code` set no A or D bit, raise no fault and touch no device. `touch` makes
the accesses: each to a device is logged as KERNEMU's are, and has the side effects that
it has. `write` stores in RAM as a debugger does: whatever the rights of the page are,
without a trace in the page tables. Traps do not count: they are for the guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.disasm import Line, disassemble
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.model import contents
from lapis_engine.cpu.registers import EFER_LMA
from lapis_engine.errors import EngineError, EntryError, UnmappedError
from lapis_engine.events import KernemuAccessed
from lapis_engine.memory.physical import Region
from lapis_engine.units import MASK32, MASK64, PAGE
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import address_map
from lapis_engine.vmm.bus import untrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.memory.physical import PhysicalMemory
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

WIDTHS: Final = (4, 2, 1)
STRIDE: Final = 16
"""Bytes at which devices begin and end."""
MOST_TOUCHED: Final = PAGE
"""Bytes that are read through the bus at once."""
MOST_WRITTEN: Final = PAGE
"""Bytes that are stored at once."""
WHOLE: Final = (1, 2, 4, 8)
"""Lengths that are one access when they are aligned."""


class DeviceRead(NamedTuple):
    """One read of a device."""

    gpa: int
    bytes: int
    value: int
    device: str


class Extent(NamedTuple):
    """A run of addresses that one and the same serves."""

    at: int
    size: int
    kind: str
    """ram, rom, device; hole: nobody serves it; unmapped and not-canonical: a linear
    address that comes to nothing."""
    name: str | None
    """Of the memory or the device."""
    gpa: int | None
    data: bytes
    """Of ram and rom; nothing else can be looked at without consequences."""


class Touched(NamedTuple):
    """What was read, and from whom."""

    data: bytes
    accesses: tuple[DeviceRead, ...]


def read(memory: PhysicalMemory, vcpu: Vcpu, linear: int, size: int) -> bytes:
    """Return `size` bytes through the page tables of `vcpu`; raise `UnmappedError`."""
    out = bytearray()
    while len(out) < size:
        at, left = linear + len(out), size - len(out)
        if not is_canonical(vcpu.regs, at):
            raise UnmappedError(at, left, "the address is not canonical")
        gpa = vcpu.linear.peek(at)
        if gpa is None:
            raise UnmappedError(at, left, "not mapped by its page tables")
        out += memory.read(gpa, min(left, PAGE - at % PAGE))
    return bytes(out)


def look(
    vm: Vm, vcpu: Vcpu, at: int, size: int, *, physical: bool
) -> tuple[Extent, ...]:
    """Return what is at each of `size` addresses; behind the last comes the first.

    Nothing is touched, and no device is read.
    """
    mask = MASK32 if not physical and not vcpu.regs.efer & EFER_LMA else MASK64
    out: list[Extent] = []
    end = at + size
    while at < end:
        address = at & mask
        gpa = address if physical else _looked_up(vcpu, address)
        step = min(PAGE - address % PAGE, end - at)
        if gpa is not None and vm.memory.region(gpa) is None:
            step = min(step, STRIDE - address % STRIDE)
        found = _extent(vm, vcpu, address, gpa, step)
        if out and _goes_on(out[-1], found):
            last = out.pop()
            joined = last.data + found.data
            found = last._replace(size=last.size + found.size, data=joined)
        out.append(found)
        at += step
    return tuple(out)


def _looked_up(vcpu: Vcpu, linear: int) -> int | None:
    return vcpu.linear.peek(linear) if is_canonical(vcpu.regs, linear) else None


def _extent(vm: Vm, vcpu: Vcpu, at: int, gpa: int | None, size: int) -> Extent:
    """Return what is at addresses that do not cross a page."""
    if gpa is None:
        kind = "unmapped" if is_canonical(vcpu.regs, at) else "not-canonical"
        return Extent(at, size, kind, None, None, b"")
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None:
        return Extent(at, size, "hole", None, gpa, b"")
    if isinstance(server, Region):
        kind = "rom" if server.rom else "ram"
        return Extent(at, size, kind, server.name, gpa, server.read(gpa, size))
    return Extent(at, size, "device", address_map.device_name(server), gpa, b"")


def _goes_on(last: Extent, found: Extent) -> bool:
    """Tell whether one run of addresses is more of another."""
    is_next = found.at == last.at + last.size
    if last.gpa is not None and found.gpa is not None:
        is_next &= found.gpa == last.gpa + last.size
    return is_next and (last.kind, last.name) == (found.kind, found.name)


def code(
    memory: PhysicalMemory,
    vcpu: Vcpu,
    at: int | None,
    count: int,
    *,
    physical: bool = False,
    is_att: bool = False,
) -> list[Line]:
    """Disassemble up to `count` instructions in the present mode, from RIP if None.

    They end where there is no memory.
    """
    regs = vcpu.regs
    start = regs.linear_rip if at is None else at
    if physical:
        found = memory.peek(start, LONGEST * count)
    else:
        found = _readable(memory, vcpu, start, LONGEST * count)
    return disassemble(found, start, regs.code_bits, count, is_att=is_att)


def _readable(memory: PhysicalMemory, vcpu: Vcpu, linear: int, size: int) -> bytes:
    """Return up to `size` bytes, fewer where a page is missing; one walk a page."""
    out = bytearray()
    while len(out) < size:
        at = linear + len(out)
        gpa = vcpu.linear.peek(at)
        n = min(size - len(out), PAGE - at % PAGE)
        piece = b"" if gpa is None else memory.peek(gpa, n)
        if not piece:
            break
        out += piece
    return bytes(out)


def is_canonical(regs: Registers, linear: int) -> bool:
    """Tell whether a linear address may be: SDM Vol. 1 "Canonical Addressing"."""
    return not regs.efer & EFER_LMA or contents.is_canonical(linear)


def touch(vm: Vm, vcpu: Vcpu, at: int, size: int, *, physical: bool) -> Touched:
    """Read `size` bytes at a linear, or `physical`, address through the bus.

    Raises `UnmappedError` where the page tables or the machine have nothing, before
    anything was read, and `EntryError` where a device refuses or of that many bytes.
    """
    if not 1 <= size <= MOST_TOUCHED:
        raise EntryError("EINVAL", f"{size} bytes: 1 to {MOST_TOUCHED} at once")
    pieces = [
        (_gpa(vcpu, address, physical=physical), n) for address, n in _pieces(at, size)
    ]
    names = [_served_by(vm, vcpu, gpa, n) for gpa, n in pieces]
    data, accesses = b"", []
    for (gpa, n), name in zip(pieces, names, strict=True):
        if name is None:
            data += vm.memory.read(gpa, n)
            continue
        value = _access(vm, vcpu, gpa, n)
        accesses.append(DeviceRead(gpa, n, value, name))
        data += value.to_bytes(n, "little")
    return Touched(data, tuple(accesses))


def write(vm: Vm, vcpu: Vcpu, at: int, written: str, *, physical: bool) -> None:
    """Store bytes in RAM at a linear, or `physical`, address: all of them or none.

    They are given in hex, two digits each.

    Every processor sees it: what was translated from there, by page tables as well, is
    forgotten (SDM Vol. 3A "Self-Modifying Code", "Invalidation of TLBs").
    Raises `UnmappedError` where nothing is mapped, and `EngineError` for ROM, a device
    or of that many bytes.
    """
    data = _from_hex(written)
    if not 1 <= len(data) <= MOST_WRITTEN:
        raise EngineError(f"{len(data)} bytes to write: 1 to {MOST_WRITTEN} at once")
    top = MASK32 if not physical and not vcpu.regs.efer & EFER_LMA else MASK64
    if at < 0 or at + len(data) - 1 > top:
        raise EngineError(f"{len(data)} bytes at {at:#x} are not within 0 to {top:#x}")
    for end in (at, at + len(data) - 1):
        if not physical and not is_canonical(vcpu.regs, end):
            raise UnmappedError(end, 1, "the address is not canonical")
    pieces = []
    while data:
        size = PAGE - at % PAGE
        gpa = _gpa(vcpu, at, physical=physical)
        _refuse_all_but_ram(vm, vcpu, gpa, min(size, len(data)))
        pieces.append((gpa, data[:size]))
        at, data = at + size, data[size:]
    for gpa, piece in pieces:
        vm.memory.write(gpa, piece)


def _from_hex(written: str) -> bytes:
    try:
        return bytes.fromhex(written)
    except ValueError:
        shown = f"{written[:40]!r}{'...' if len(written) > 40 else ''}"
        raise EngineError(f"{shown} are no bytes: two hex digits each") from None


def _refuse_all_but_ram(vm: Vm, vcpu: Vcpu, gpa: int, size: int) -> None:
    """Raise `EngineError` unless bytes within one page are RAM that can be written."""
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None:
        raise UnmappedError(gpa, size, "neither memory nor a device of the engine")
    name = address_map.device_name(server)
    if name is not None:
        raise EngineError(f"{gpa:#x} is no memory: it is served by {name}")
    if isinstance(server, Region) and server.rom:
        raise EngineError(f"{gpa:#x} is in {server.name}, which is read-only")


def _pieces(at: int, size: int) -> Iterator[tuple[int, int]]:
    if size in WHOLE and at % size == 0:
        yield at, size
        return
    while size:
        n = next(n for n in WIDTHS if n <= size and at % n == 0)
        yield at, n
        at, size = at + n, size - n


def _gpa(vcpu: Vcpu, address: int, *, physical: bool) -> int:
    gpa = address if physical else vcpu.linear.peek(address)
    if gpa is None:
        raise UnmappedError(address, 1, "not mapped by its page tables")
    return gpa


def _served_by(vm: Vm, vcpu: Vcpu, gpa: int, size: int) -> str | None:
    """Return the name of the device, None for memory; raise `UnmappedError`."""
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None:
        raise UnmappedError(gpa, size, "neither memory nor a device of the engine")
    return address_map.device_name(server)


def _access(vm: Vm, vcpu: Vcpu, gpa: int, size: int) -> int:
    try:
        value = untrapped(vm, vcpu, "outside").read(gpa, size)
    except HandlerRefused as refused:
        raise EntryError("EINVAL", f"the device refused: {refused}") from None
    assert value is not None, "the device was looked up"
    value &= (1 << (8 * size)) - 1
    vm.note(KernemuAccessed(vcpu.id, False, gpa, size, value))  # noqa: FBT003
    return value
