"""Memory: bytes, instructions, who serves which addresses, names, what was printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.cpu.disasm import Line
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.guest_memory import DeviceRead, Touched
    from lapis_sessions.symbols.book import Places


@dataclass(frozen=True, slots=True)
class InstructionView:
    """One disassembled instruction."""

    linear: int
    bytes: str
    """In hex."""
    mnemonic: str
    operands: str
    current: bool
    """Whether RIP is on it."""
    symbol: str | UnsetType = UNSET
    """Its name, where it has one; of the first one also `name+0x5`."""
    source: str | UnsetType = UNSET
    """`file:line` that it comes from, where a line table has it."""


@dataclass(frozen=True, slots=True)
class MemoryView:
    """Bytes."""

    address: int
    bytes: str
    """In hex."""
    touched: tuple[DeviceRead, ...] | UnsetType = UNSET
    """The device accesses that they cost, where devices were read for them."""


@dataclass(frozen=True, slots=True)
class RangeView:
    """Addresses or ports that somebody serves."""

    space: str
    """memory or port."""
    first: int
    last: int
    name: str


def instructions(
    lines: Sequence[Line], rip: int, places: Places
) -> list[InstructionView]:
    """Return disassembled instructions; `rip` is linear."""
    return [
        InstructionView(
            line.linear,
            line.code.hex(),
            line.mnemonic,
            line.operands,
            line.linear == rip,
            (places.get(line.linear) if i else places.near(line.linear)) or UNSET,
            places.line(line.linear) or UNSET,
        )
        for i, line in enumerate(lines)
    ]


def touched(at: int, found: Touched) -> MemoryView:
    """Return bytes, and the device accesses that they cost."""
    return MemoryView(at, found.data.hex(), found.accesses)


def memory_map(machine: Machine) -> list[RangeView]:
    """Return who serves which addresses and ports, ascending."""
    rows = [
        RangeView("memory", each.gpa, each.end - 1, each.name)
        for each in machine.vm.memory.regions
    ]
    rows += _devices(machine)
    return sorted(rows, key=lambda row: (row.space, row.first, row.name))


def _devices(machine: Machine) -> Iterator[RangeView]:
    for device in machine.vm.devices:
        for space, ranges in (("memory", device.mmio), ("port", device.ports)):
            for each in ranges:
                last = each.first + each.size - 1
                yield RangeView(space, each.first, last, device.name)


def disassembly_text(rows: Sequence[InstructionView]) -> str:
    """Return instructions, `>` at RIP."""
    out = []
    source: str | UnsetType = UNSET
    for row in rows:
        if row.symbol is not UNSET:
            out.append(f"{row.symbol}:")
        if row.source is not UNSET and row.source != source:
            source = row.source
            out.append(f"; {source}")
        mark = ">" if row.current else " "
        line = f"{mark} {row.linear:>10x}  {row.bytes:<20}  {row.mnemonic}"
        out.append(f"{line} {row.operands}".rstrip())
    return "\n".join(out)


def text(view: MemoryView) -> str:
    """Return a hex dump, and which devices were read for it."""
    out = list(_dump(view.address, bytes.fromhex(view.bytes)))
    if view.touched is UNSET:
        return "\n".join(out)
    out += [
        f"touched {each.device}: {each.bytes} bytes at {each.gpa:#x} = {each.value:#x}"
        for each in view.touched
    ]
    return "\n".join(out if view.touched else [*out, "no device was touched"])


def _dump(address: int, data: bytes) -> Iterator[str]:
    """Yield rows of hex with text beside them."""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        yield f"{address + at:>10x}  {row.hex(' '):<47}  {shown}"


def map_text(rows: Sequence[RangeView]) -> str:
    """Return who serves what."""
    return "\n".join(
        f"{row.space:<6} {row.first:>10x} - {row.last:>10x}  {row.name}" for row in rows
    )


def breakpoints_text(found: Sequence[int]) -> str:
    """Return breakpoints."""
    return "\n".join(f"{at:#x}" for at in found) or "there are no breakpoints"
