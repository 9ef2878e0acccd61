"""What is in the descriptor tables and the TSS of a vCPU, entry by entry.

They are read in the vCPU's present mode, as far as its registers say that they go, and
nothing is touched. Where there is no memory nothing is known of an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import CR0_PE, EFER_LMA
from lapis_engine.errors import EngineError
from lapis_engine.units import MASK32, MASK64, PAGE
from lapis_engine.vmm import guest_memory
from lapis_engine.why import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers, Segment
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

MOST: Final = 0x1_0000
"""Bytes of a table: no limit is above 0xffff but that of an LDT or a TSS."""
MOST_GATES: Final = 256


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One entry that is not all zeros."""

    number: int
    """Selector with TI and RPL 0, or vector."""
    linear: int
    """Where it is."""
    raw: int
    present: bool
    text: str
    """What it is; of a descriptor with base and limit."""


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """A descriptor table."""

    vcpu: int
    table: str
    """GDT, LDT, IDT or IVT."""
    base: int
    limit: int
    selector: int
    """LDTR's; 0 of the others, which have none."""
    size: int
    """Bytes of an entry; a system descriptor of long mode takes two of them."""
    entries: tuple[TableEntry, ...]
    zeros: int
    """How many more are all zeros."""
    holes: int
    """How many more are in no memory."""
    text: str
    """One sentence."""


def gdt(machine: Machine, number: int) -> TableAnswer:
    """Return the GDT of a vCPU; raise `EngineError` without such a vCPU."""
    vcpu = machine.vcpu(number)
    return _descriptors(machine, vcpu, "GDT", vcpu.regs.gdtr)


def ldt(machine: Machine, number: int) -> TableAnswer:
    """Return the LDT of a vCPU, as `gdt` does."""
    vcpu = machine.vcpu(number)
    return _descriptors(machine, vcpu, "LDT", vcpu.regs.ldtr)


def idt(machine: Machine, number: int) -> TableAnswer:
    """Return the IDT of a vCPU, in real mode the table of vectors, as `gdt` does."""
    vcpu = machine.vcpu(number)
    regs = vcpu.regs
    is_real, is_long = not regs.cr0 & CR0_PE, bool(regs.efer & EFER_LMA)
    size = 4 if is_real else 16 if is_long else 8
    at = regs.idtr
    count = min((at.limit + 1) // size, MOST_GATES)
    entries, zeros, holes = [], 0, 0
    for vector, raw in enumerate(_raw(machine, vcpu, at.base, count, size)):
        if raw is None:
            holes += 1
        elif not raw:
            zeros += 1
        else:
            linear = _wrapped(regs, at.base + size * vector)
            words = addresses.gate(raw, is_real=is_real, is_long=is_long)
            present = is_real or bool(raw >> 47 & 1)
            entries.append(TableEntry(vector, linear, raw, present, words))
    name = "IVT" if is_real else "IDT"
    text = _text(name, at, 0, len(entries), zeros, holes)
    return TableAnswer(
        number, name, at.base, at.limit, 0, size, tuple(entries), zeros, holes, text
    )


def _descriptors(machine: Machine, vcpu: Vcpu, name: str, at: Segment) -> TableAnswer:
    regs = vcpu.regs
    selector = at.selector if name == "LDT" else 0
    is_there = name == "GDT" or selector & 0xFFFC
    count = min(at.limit + 1, MOST) // 8 if is_there else 0
    found = list(_raw(machine, vcpu, at.base, count, 8))
    entries, zeros, holes, index = [], 0, 0, 0
    while index < len(found):
        raw, step = found[index], 1
        if raw is None:
            holes += 1
        elif not raw:
            zeros += 1
        else:
            if regs.efer & EFER_LMA and addresses.is_double(raw):
                upper = found[index + 1] if index + 1 < len(found) else None
                raw, step = raw | (upper or 0) << 64, 2
            linear = _wrapped(regs, at.base + 8 * index)
            number = 8 * index + (4 if name == "LDT" else 0)
            words = addresses.descriptor(raw)
            is_null = name == "GDT" and not index
            words = f"the null descriptor ({words})" if is_null else words
            entries.append(TableEntry(number, linear, raw, bool(raw >> 47 & 1), words))
        index += step
    text = _text(name, at, selector, len(entries), zeros, holes)
    if not is_there:
        text = f"LDTR is {at.selector:#06x}: there is no LDT"
    return TableAnswer(
        vcpu.id, name, at.base, at.limit, selector, 8, tuple(entries), zeros, holes,
        text,
    )  # fmt: skip


def _text(
    name: str, at: Segment, selector: int, known: int, zeros: int, holes: int
) -> str:
    by = f", selector {selector:#06x}" if selector else ""
    parts = [f"{known} entries" if known != 1 else "1 entry"]
    parts += [f"{zeros} all zeros"] if zeros else []
    parts += [f"{holes} in no memory"] if holes else []
    return f"{name} at {at.base:#x}, limit {at.limit:#x}{by}: {', '.join(parts)}"


def _wrapped(regs: Registers, linear: int) -> int:
    return linear & (MASK64 if regs.efer & EFER_LMA else MASK32)


def _raw(
    machine: Machine, vcpu: Vcpu, base: int, count: int, size: int
) -> Iterator[int | None]:
    """Yield entries as numbers, None where there is no memory, a page at a time."""
    data = read(machine, vcpu, base, count * size)
    for index in range(count):
        piece = data[index * size : index * size + size]
        known = [byte for byte in piece if byte is not None]
        yield int.from_bytes(bytes(known), "little") if len(known) == size else None


def read(machine: Machine, vcpu: Vcpu, base: int, size: int) -> list[int | None]:
    """Return bytes at linear addresses, None where there is no memory."""
    out: list[int | None] = []
    while len(out) < size:
        at = _wrapped(vcpu.regs, base + len(out))
        some = min(PAGE - at % PAGE, size - len(out))
        try:
            out += guest_memory.read(machine.vm.memory, vcpu, at, some)
        except EngineError:
            out += [None] * some
    return out
