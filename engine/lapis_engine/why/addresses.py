"""What is at an address: descriptor, gate, page-table entry, register of an APIC.

An answer is as good as the registers that say where tables are: it is about what the
processor would take the bytes for. Nothing is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine import explain
from lapis_engine.apic import access
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import LVTS, REGISTERS
from lapis_engine.cpu.registers import CR0_PE, EFER_LMA
from lapis_engine.errors import EngineError
from lapis_engine.units import MASK32, PAGE
from lapis_engine.vmm import guest_memory
from lapis_engine.why import pages
from lapis_engine.why.pages import PageAccess
from lapis_engine.why.reason import Reason, allows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

SYSTEM: Final = {
    1: "16-bit TSS", 2: "LDT", 3: "16-bit TSS, busy", 4: "16-bit call gate",
    5: "task gate", 6: "16-bit interrupt gate", 7: "16-bit trap gate", 9: "TSS",
    0xB: "TSS, busy", 0xC: "call gate", 0xE: "interrupt gate", 0xF: "trap gate",
}  # fmt: skip
"""Types of system descriptors (SDM Vol. 3A "System Descriptor Types")."""
GATES: Final = frozenset({4, 5, 6, 7, 0xC, 0xE, 0xF})
EXPLAINED: Final = {**dict.fromkeys(LVTS, "lvt"), "timer_divide": "divide"}
"""Registers that `explain` knows by another name."""
DOUBLE: Final = frozenset({2, 9, 0xB, 0xC})
WALKS: Final = 20_000
"""Walks at most that look for the table that an entry is in."""
CANONICAL_SIGN: Final = 1 << 47
UPPER: Final = 0xFFFF << 48


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """What is known of an address."""

    vcpu: int
    address: int
    physical: bool
    """Whether that is a physical address."""
    gpa: int | None
    """The physical address, where there is one."""
    served: str | None
    """Memory or device; there may be none."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]
    """What the processor takes it for: descriptor, gate, vector, page-entry,
    apic-register; and pointer: which registers have just this address."""


def address(machine: Machine, number: int, at: int, *, physical: bool) -> AddressAnswer:
    """Answer for an address on vCPU `number`; raise `EngineError` without such one."""
    vcpu = machine.vcpu(number)
    gpa: int | None = at
    if not physical:
        walk = pages.page(machine, number, at, PageAccess())
        at, gpa = walk.linear, walk.physical
    served = None if gpa is None else pages.name_at(machine.vm, vcpu, gpa)
    found = [] if physical else list(_linear(machine, vcpu, at))
    if gpa is not None:
        found += _physical(machine, vcpu, gpa)
    head = f"{'physical' if physical else 'linear'} {at:#x}"
    if gpa is None:
        text = f"{head} is mapped to nothing"
    else:
        where = "" if physical else f" is physical {gpa:#x},"
        by = "which nobody serves" if served is None else f"in {served}"
        text = f"{head}{where} {by}" if where else f"{head}, {by}"
    return AddressAnswer(number, at, physical, gpa, served, text, tuple(found))


# By linear address.


def _linear(machine: Machine, vcpu: Vcpu, at: int) -> Iterator[Reason]:
    regs = vcpu.regs
    for name, table in (("GDT", regs.gdtr), ("LDT", regs.ldtr)):
        is_there = table.limit and (name == "GDT" or table.selector & 0xFFFC)
        if is_there and regs.cr0 & CR0_PE and 0 <= at - table.base <= table.limit:
            yield from _descriptor(machine, vcpu, name, table.base, at)
    if 0 <= at - regs.idtr.base <= regs.idtr.limit:
        yield from _gate(machine, vcpu, at)
    yield from _pointers(regs, at)


def _read(machine: Machine, vcpu: Vcpu, at: int, size: int) -> int | None:
    try:
        data = guest_memory.read(machine.vm.memory, vcpu, at, size)
    except EngineError:
        return None
    return int.from_bytes(data, "little")


def _descriptor(
    machine: Machine, vcpu: Vcpu, table: str, base: int, at: int
) -> Iterator[Reason]:
    index = (at - base) // 8
    is_long = bool(vcpu.regs.efer & EFER_LMA)
    raw = _read(machine, vcpu, base + 8 * index, 8)
    before = (
        _read(machine, vcpu, base + 8 * index - 8, 8) if index and is_long else None
    )
    if before is not None and is_double(before):
        index, raw = index - 1, before  # its upper half
    if raw is None:
        return
    if is_long and is_double(raw):
        raw |= (_read(machine, vcpu, base + 8 * index + 8, 8) or 0) << 64
    selector = 8 * index + (4 if table == "LDT" else 0)
    text = f"selector {selector:#06x}, entry {index} of the {table}: "
    if table == "GDT" and not index:
        text += "the null descriptor"
    else:
        text += descriptor(raw)
    yield allows("descriptor", text, table, index=index, selector=selector, raw=raw)


def is_double(raw: int) -> bool:
    """Tell whether a descriptor has 16 bytes in long mode: LDT, TSS or call gate.

    A present one alone counts, for what follows zeros is no half of anything.
    """
    is_system = raw >> 32 & (1 << 15 | 1 << 12) == 1 << 15
    return is_system and raw >> 40 & 0xF in DOUBLE


def descriptor(raw: int) -> str:
    """Return a descriptor of 8 or 16 bytes in words.

    SDM Vol. 3A "Segment Descriptors", "Segment Descriptor Tables in IA-32e Mode".
    """
    upper, high = raw >> 64 & MASK32, raw >> 32 & MASK32
    kind, dpl = high >> 8 & 0xF, high >> 13 & 3
    present = "" if high & 1 << 15 else ", not present"
    if not high & 1 << 12 and kind in GATES:
        return f"{_gate_text(raw, is_long=bool(upper))}, DPL {dpl}{present}"
    base = upper << 32 | raw >> 16 & 0xFF_FFFF | high & 0xFF00_0000
    limit = raw & 0xFFFF | high & 0xF_0000
    if high & 1 << 23:
        limit = limit << 12 | 0xFFF
    if not high & 1 << 12:
        name = SYSTEM.get(kind, f"reserved type {kind:#x}")
    elif kind & 8:
        width = 64 if high & 1 << 21 else 32 if high & 1 << 22 else 16
        readable = "readable" if kind & 2 else "execute-only"
        name = f"{width}-bit code, {readable}{', conforming' if kind & 4 else ''}"
    else:
        writable = "writable" if kind & 2 else "read-only"
        name = f"data, {writable}{', expand-down' if kind & 4 else ''}"
    return f"{name}, DPL {dpl}, base {base:#x}, limit {limit:#x}{present}"


def _gate(machine: Machine, vcpu: Vcpu, at: int) -> Iterator[Reason]:
    regs = vcpu.regs
    is_real, is_long = not regs.cr0 & CR0_PE, bool(regs.efer & EFER_LMA)
    size = 4 if is_real else 16 if is_long else 8
    vector = (at - regs.idtr.base) // size
    raw = _read(machine, vcpu, regs.idtr.base + size * vector, size)
    if raw is None:
        return
    text = f"vector {vector:#04x}: "
    if is_real:
        text += gate(raw, is_real=True, is_long=False)
        yield allows("vector", text, "IVT", vector=vector, raw=raw)
        return
    text += gate(raw, is_real=False, is_long=is_long)
    yield allows("gate", text, "IDT", vector=vector, raw=raw)


def gate(raw: int, *, is_real: bool, is_long: bool) -> str:
    """Return what an entry of an IDT, or of the vectors of real mode, says in words.

    SDM Vol. 3A "IDT Descriptors", "64-Bit Mode IDT".
    """
    if is_real:
        return f"{raw >> 16:04x}:{raw & 0xFFFF:04x}"
    kind, dpl = raw >> 40 & 0xF, raw >> 45 & 3
    if raw >> 44 & 1 or kind not in GATES:
        text = f"no gate (type {raw >> 40 & 0x1F:#x})"
    else:
        text = f"{_gate_text(raw, is_long=is_long)}, DPL {dpl}"
    return text if raw & 1 << 47 else f"{text}, not present"


def _gate_text(raw: int, *, is_long: bool = False) -> str:
    selector, offset = raw >> 16 & 0xFFFF, raw & 0xFFFF
    kind = raw >> 40 & 0xF
    if kind == 5:
        return f"task gate to TSS {selector:#06x}"
    if kind & 8:
        offset |= raw >> 32 & 0xFFFF_0000
    ist = ""
    if is_long:
        offset |= raw >> 64 << 32 & 0xFFFF_FFFF_0000_0000
        number = raw >> 32 & 7
        ist = f", IST {number}" if number else ""
    return f"{SYSTEM[kind]} to {selector:#06x}:{offset:#x}{ist}"


def _pointers(regs: Registers, at: int) -> Iterator[Reason]:
    from_tables = {
        "GDTR": regs.gdtr.base, "IDTR": regs.idtr.base, "RIP": regs.linear_rip,
        "CR2": regs.cr2,
    }  # fmt: skip
    found = [name for name, base in from_tables.items() if base == at and at]
    if found:
        yield allows("pointer", f"{', '.join(found)}: this address")


# By physical address.


def _physical(machine: Machine, vcpu: Vcpu, gpa: int) -> Iterator[Reason]:
    if pages.name_at(machine.vm, vcpu, gpa) == "local APIC":
        yield _apic_register(machine, vcpu, gpa)
        return
    yield from _page_entry(machine, vcpu, gpa)


def _apic_register(machine: Machine, vcpu: Vcpu, gpa: int) -> Reason:
    offset = (gpa - apic_state.base(vcpu.apic)) & ~0xF
    register = REGISTERS.get(offset)
    if register is None:
        text = f"offset {offset:#x} of the local APIC: no register"
        return allows("apic-register", text, offset=offset)
    vm = machine.vm
    value = access.peek(vcpu.apic, offset, vm.now, vm.profile)
    name = register.name.upper().replace("_", " ")
    text = f"{name} of the APIC of vCPU {vcpu.id}, offset {offset:#x}: {value:#x}"
    what = EXPLAINED.get(register.name, register.name)
    if what in explain.EXPLAINERS:
        text += f", {explain.explain(what, value).text}"
    return allows("apic-register", text, offset=offset, value=value)


def _page_entry(machine: Machine, vcpu: Vcpu, gpa: int) -> Iterator[Reason]:
    """Look for a paging structure of the vCPU that has this address in it."""
    linear = _linear_of_entry(vcpu, gpa)
    if linear is None:
        return
    answer = pages.page(machine, vcpu.id, linear, PageAccess())
    for entry in answer.entries:
        if entry.at <= gpa < entry.at + (4 if answer.mode == "32-bit" else 8):
            text = (
                f"{entry.table} {entry.index} of the page tables of vCPU {vcpu.id}, "
                f"for linear {linear:#x} and on: {_entry_text(entry)}"
            )
            values = {"index": entry.index, "linear": linear, "raw": entry.raw}
            yield allows("page-entry", text, entry.table, **values)


def _entry_text(entry: pages.PageEntry) -> str:
    if "P" not in entry.flags:
        return "not present"
    flags = " ".join(entry.flags)
    where = f"{'page' if entry.maps else 'table'} {entry.address:#x}"
    bad = f", reserved bits {entry.reserved:#x}" if entry.reserved else ""
    return f"{where}, {flags}{bad}"


def _linear_of_entry(vcpu: Vcpu, gpa: int) -> int | None:
    """Return the first linear address that a walk comes by an entry for, or None.

    Every table is visited: a walk tells those on its way, and the next one begins
    where another lowest table would.
    """
    regs = vcpu.regs
    if not regs.paging:
        return None
    is_long = bool(regs.efer & EFER_LMA)
    last, linear = (1 << 48) - 1 if is_long else MASK32, 0
    for _ in range(WALKS):
        steps = vcpu.linear.walk(canonical(linear) if is_long else linear).steps
        for step in steps:
            table, bits = step.at & ~(PAGE - 1), 9 if step.size == 8 else 10
            if len(steps) > 1 and step is steps[0] and not is_long and step.size == 8:
                table, bits = step.at & ~0x1F, 2  # the four PDPTEs
            if table <= gpa < table + (step.size << bits):
                index = (gpa - table) // step.size
                mask = (1 << step.shift + bits) - 1
                found = linear & ~mask | index << step.shift
                return canonical(found) if is_long else found
        end = steps[-1]
        shift = end.shift if end.shift > 12 else 12 + (9 if end.size == 8 else 10)
        linear = (linear | (1 << shift) - 1) + 1
        if linear > last:
            return None
    return None


def canonical(linear: int) -> int:
    """Return an address of 48 bits with its sign in all higher ones."""
    return linear | UPPER if linear & CANONICAL_SIGN else linear
