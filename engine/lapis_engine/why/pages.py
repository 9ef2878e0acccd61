"""How a linear address comes to a physical one, entry by entry, or why it does not.

The walk is the one that accesses of the engine take (`cpu.paging`); nothing is touched:
no A or D bit is set and no device is read. SDM Vol. 3A "Paging".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import GP, PF_
from lapis_engine.cpu.model import contents
from lapis_engine.cpu.page_formats import (
    ADDRESS,
    NX,
    PRESENT,
    USER,
    WRITABLE,
    page_address,
)
from lapis_engine.cpu.registers import CR4_PAE, EFER_LMA, EFER_NXE
from lapis_engine.units import MASK32
from lapis_engine.vmm import address_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.cpu.paging import Step, Walk
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

TABLES: Final[Mapping[str, Mapping[int, str]]] = {
    "32-bit": {22: "PDE", 12: "PTE"},
    "PAE": {30: "PDPTE", 21: "PDE", 12: "PTE"},
    "4-level": {39: "PML4E", 30: "PDPTE", 21: "PDE", 12: "PTE"},
}
"""Names of the entries by paging mode and the lowest bit that indexes their table."""
FLAGS: Final = {
    "P": 0, "RW": 1, "US": 2, "PWT": 3, "PCD": 4, "A": 5, "D": 6, "PS": 7, "G": 8,
}  # fmt: skip
OF_A_LEAF: Final = frozenset({"D", "PS", "G"})
OF_A_PDPTE: Final = frozenset({"P", "PWT", "PCD"})
"""In PAE paging, whose PDPTEs have no rights."""
PAT_SMALL: Final = 7
PAT_LARGE: Final = 12
"""Bit PAT of what maps a page: of a 4-KByte one where others have PS."""
IA32_PAT: Final = 0x277
PAT_RESET: Final = 0x0007_0406_0007_0406
MEMORY_TYPES: Final = {0: "UC", 1: "WC", 4: "WT", 5: "WP", 6: "WB", 7: "UC-"}


@dataclass(frozen=True, slots=True)
class PageAccess:
    """What kind of access is asked about."""

    write: bool = False
    user: bool = False
    """With the rights of CPL 3."""
    fetch: bool = False
    """Of an instruction."""


@dataclass(frozen=True, slots=True)
class PageEntry:
    """An entry of a paging structure, taken apart."""

    table: str
    """PML4E, PDPTE, PDE or PTE."""
    index: int
    at: int
    """Its physical address."""
    raw: int
    flags: tuple[str, ...]
    """What is set of P, RW, US, PWT, PCD, A, D, PS, G, PAT, NX, low to high."""
    address: int
    """Of the next table, or of the page; of no meaning where P is clear."""
    maps: bool
    """It maps a page."""
    reserved: int
    """Bits that are set and must not be."""
    served: str | None
    """Memory that it is in; there may be none."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Those of all levels together."""

    write: bool
    user: bool
    fetch: bool


@dataclass(frozen=True, slots=True)
class PageRefusal:
    """Why an access does not come to memory."""

    code: str
    """not-canonical, not-present, reserved, no-execute, supervisor-page, read-only,
    smep or smap."""
    table: str | None
    """The entry at which the walk ended, where it is one entry's doing."""
    vector: int
    """Exception that the guest gets: 14, or 13 for what is not canonical."""
    error: int
    """Its error code."""
    text: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What becomes of one linear address."""

    vcpu: int
    linear: int
    mode: str
    """none, 32-bit, PAE or 4-level."""
    access: PageAccess
    cr3: int
    entries: tuple[PageEntry, ...]
    """From the root on."""
    physical: int | None
    """Where it is mapped, be that access allowed or not."""
    page: int | None
    """Bytes of the page."""
    rights: Rights | None
    memory_type: str | None
    """By IA32_PAT alone: the MTRRs have no effect here."""
    served: str | None
    """Memory or device at the physical address; there may be none."""
    refusal: PageRefusal | None
    text: str
    """One sentence."""


def page(machine: Machine, number: int, linear: int, access: PageAccess) -> PageAnswer:
    """Answer for `linear` on vCPU `number`; raise `EngineError` without such a vCPU."""
    vcpu = machine.vcpu(number)
    regs = vcpu.regs
    mode = _mode(vcpu)
    if not regs.efer & EFER_LMA:
        linear &= MASK32
    elif not contents.is_canonical(linear):
        return _not_canonical(vcpu, linear, mode, access)
    found = vcpu.linear.walk(
        linear, write=access.write, user=access.user, fetch=access.fetch
    )
    steps = found.steps
    entries = tuple(_entry(machine.vm, mode, vcpu, linear, step) for step in steps)
    mapped = found.gpa is not None
    last = steps[-1] if steps and mapped else None
    served = None if found.gpa is None else name_at(machine.vm, vcpu, found.gpa)
    refusal = _refusal(mode, found, entries, access)
    return PageAnswer(
        number, linear, mode, access, regs.cr3, entries, found.gpa,
        None if last is None else 1 << last.shift,
        _rights(found) if mapped else None,
        None if last is None else _memory_type(vcpu, last),
        served, refusal, _text(linear, found, served, refusal, last),
    )  # fmt: skip


def name_at(vm: Vm, vcpu: Vcpu, gpa: int) -> str | None:
    """Return the name of the memory or the device at a physical address, or None."""
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None or isinstance(server, int):
        return None if server is None else address_map.APIC
    return server.name


def _mode(vcpu: Vcpu) -> str:
    regs = vcpu.regs
    if not regs.paging:
        return "none"
    if not regs.cr4 & CR4_PAE:
        return "32-bit"
    return "4-level" if regs.efer & EFER_LMA else "PAE"


def _entry(vm: Vm, mode: str, vcpu: Vcpu, linear: int, step: Step) -> PageEntry:
    table = TABLES[mode][step.shift]
    maps = step.is_leaf and bool(step.raw & PRESENT) and not step.reserved
    region = vm.memory.region(step.at)
    return PageEntry(
        table,
        linear >> step.shift & (0x3FF if step.size == 4 else 0x1FF),
        step.at,
        step.raw,
        _flags((mode, table), vcpu, step) if step.raw & PRESENT else (),
        page_address(step.raw, step.shift, step.size, 0)
        if maps
        else step.raw & ADDRESS,
        maps,
        step.reserved if step.raw & PRESENT else 0,
        None if region is None else region.name,
    )


def _flags(kind: tuple[str, str], vcpu: Vcpu, step: Step) -> tuple[str, ...]:
    """Return what is set of the flags that an entry of a kind has."""
    known, has_nx = set(FLAGS), step.size == 8 and bool(vcpu.regs.efer & EFER_NXE)
    if kind == ("PAE", "PDPTE"):
        known, has_nx = set(OF_A_PDPTE), False
    if not step.is_leaf:
        known -= OF_A_LEAF
    if step.shift == 12:
        known.discard("PS")
    found = [name for name, at in FLAGS.items() if name in known and step.raw >> at & 1]
    if step.is_leaf and step.raw >> _pat(step) & 1:
        found.append("PAT")
    if has_nx and step.raw & NX:
        found.append("NX")
    return tuple(found)


def _pat(step: Step) -> int:
    return PAT_SMALL if step.shift == 12 else PAT_LARGE


def _rights(found: Walk) -> Rights:
    rights = found.rights
    return Rights(bool(rights & WRITABLE), bool(rights & USER), bool(rights & NX))


def _memory_type(vcpu: Vcpu, last: Step) -> str:
    index = (last.raw >> _pat(last) & 1) << 2 | last.raw >> 3 & 3
    types = vcpu.msrs.get(IA32_PAT, PAT_RESET)
    return MEMORY_TYPES.get(types >> 8 * index & 7, "?")


# In words.

FORBIDS: Final = {
    "no-execute": "NX is set",
    "supervisor-page": "U/S is clear",
    "read-only": "R/W is clear",
    "smep": "CR4.SMEP forbids the supervisor to fetch from a user page",
    "smap": "CR4.SMAP forbids the supervisor to touch a user page",
}
"""What is wrong with an access to a page that is there."""


def _refusal(
    mode: str, found: Walk, entries: Sequence[PageEntry], access: PageAccess
) -> PageRefusal | None:
    code, error = found.refusal, found.error
    if code is None or error is None:
        return None
    if code in FORBIDS:
        verb = "fetch from" if access.fetch else "write to" if access.write else "read"
        who = "CPL 3" if access.user else "the supervisor"
        guilty = _guilty(mode, code, entries)
        where = "" if guilty is None else f" in its {guilty.table} at {guilty.at:#x}"
        text = f"{who} may not {verb} the page: {FORBIDS[code]}{where}"
        table = None if guilty is None else guilty.table
        return PageRefusal(code, table, PF_, error, text)
    last = entries[-1]
    if code == "reserved":
        text = f"the {last.table} at {last.at:#x} has reserved bits {last.reserved:#x}"
    elif last.served is None:
        text = f"the {last.table} at {last.at:#x} is in no memory"
    else:
        text = f"the {last.table} at {last.at:#x} is not present"
    return PageRefusal(code, last.table, PF_, error, text)


def _guilty(mode: str, code: str, entries: Sequence[PageEntry]) -> PageEntry | None:
    """Return the first entry that takes the right away; SMEP and SMAP are of all."""
    lacks = {"read-only": "RW", "supervisor-page": "US"}
    for entry in entries:
        if (mode, entry.table) == ("PAE", "PDPTE"):
            continue
        if code == "no-execute" and "NX" in entry.flags:
            return entry
        if code in lacks and lacks[code] not in entry.flags:
            return entry
    return None


def _not_canonical(
    vcpu: Vcpu, linear: int, mode: str, access: PageAccess
) -> PageAnswer:
    text = f"{linear:#x} is not canonical: bits 63:47 are not all alike"
    refusal = PageRefusal("not-canonical", None, GP, 0, text)
    return PageAnswer(
        vcpu.id, linear, mode, access, vcpu.regs.cr3, (), None, None, None, None, None,
        refusal, f"{text}: #GP(0), or #SS(0) by the stack segment",
    )  # fmt: skip


def _text(
    linear: int,
    found: Walk,
    served: str | None,
    refusal: PageRefusal | None,
    last: Step | None,
) -> str:
    if refusal is not None:
        return f"{linear:#x}: {refusal.text}: #PF, error code {refusal.error:#x}"
    by = served or "nobody"
    if last is None:
        return f"{linear:#x} is physical {found.gpa:#x}, {by}: paging is off"
    return f"{linear:#x} is physical {found.gpa:#x}, {by}"
