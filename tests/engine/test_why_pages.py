"""Walks of page tables built by hand, against the manual and a slow second model.

Error codes are those of SDM Vol. 3A "Page-Fault Exceptions": P is bit 0, W/R bit 1, U/S
bit 2, RSVD bit 3, I/D bit 4. Reserved bits and formats are of "32-Bit Paging", "PAE
Paging" and "4-Level Paging", with 40 bits of a physical address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from conformance.rig import Rig
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.errors import EngineError
from lapis_engine.why import pages
from lapis_engine.why.pages import PageAccess, PageAnswer

PE, WP, PG = 1, 1 << 16, 1 << 31
PSE, PAE, SMEP, SMAP = 1 << 4, 1 << 5, 1 << 20, 1 << 21
LME, LMA, NXE = 1 << 8, 1 << 10, 1 << 11
AC = 1 << 18
NX = 1 << 63
ROOT, SECOND, THIRD, FOURTH = 0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000
MODES = {
    "32-bit": (PSE, 0), "PAE": (PAE, NXE), "4-level": (PAE, LME | LMA | NXE),
}  # fmt: skip


def built(
    mode: str, entries: dict[int, int], *, cr4: int = 0, efer: int | None = None
) -> Rig:
    """A machine in a paging mode with these entries, by physical address."""
    rig = Rig(wide=mode == "4-level")
    more, usual = MODES[mode]
    size = 4 if mode == "32-bit" else 8
    for at, value in entries.items():
        rig.vm.memory.write(at, value.to_bytes(size, "little"))
    regs = rig.vcpu(0).regs
    regs.cr3, regs.cr4 = ROOT, more | cr4
    regs.efer = usual if efer is None else efer
    regs.cr0 = PE | WP | PG
    return rig


def answer(rig: Rig, linear: int, **access: bool) -> PageAnswer:
    return pages.page(rig.machine, 0, linear, PageAccess(**access))


# Pages of every size.

MAPPED: list[tuple[str, dict[int, int], int, int, int, list[str]]] = [
    ("32-bit", {ROOT + 4 * 0x1: SECOND | 7, SECOND + 4 * 0x3: 0x5_0007},
     0x40_3ABC, 0x5_0ABC, 1 << 12, ["PDE", "PTE"]),
    ("32-bit", {ROOT + 4 * 0x3: 0xC0_0087}, 0xD2_3456, 0xD2_3456, 1 << 22, ["PDE"]),
    # PSE-36: bits 20:13 of the entry are 39:32 of the address.
    ("32-bit", {ROOT + 4 * 0x3: 0xC0_0087 | 0x5A << 13},
     0xC0_0000, 0x5A_00C0_0000, 1 << 22, ["PDE"]),
    ("PAE", {ROOT + 8 * 3: SECOND | 1, SECOND + 8 * 2: THIRD | 7, THIRD + 8: 0x6_0007},
     0xC040_1008, 0x6_0008, 1 << 12, ["PDPTE", "PDE", "PTE"]),
    ("PAE", {ROOT: SECOND | 1, SECOND + 8: 0x40_0087},
     0x3F_FFFF, 0x5F_FFFF, 1 << 21, ["PDPTE", "PDE"]),
    ("4-level", {ROOT + 8 * 256: SECOND | 7, SECOND + 8: THIRD | 7,
                 THIRD + 16: FOURTH | 7, FOURTH + 24: 0x7_0007},
     0xFFFF_8000_4040_3004, 0x7_0004, 1 << 12, ["PML4E", "PDPTE", "PDE", "PTE"]),
    ("4-level", {ROOT: SECOND | 7, SECOND: THIRD | 7, THIRD + 16: 0x80_0087},
     0x41_2345, 0x81_2345, 1 << 21, ["PML4E", "PDPTE", "PDE"]),
    ("4-level", {ROOT: SECOND | 7, SECOND + 8: 0x4000_0087},
     0x4012_3456, 0x4012_3456, 1 << 30, ["PML4E", "PDPTE"]),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "entries", "linear", "gpa", "size", "tables"), MAPPED)
def test_a_page_of_each_size_is_found(
    mode: str,
    entries: dict[int, int],
    linear: int,
    gpa: int,
    size: int,
    tables: list[str],
) -> None:
    found = answer(built(mode, entries), linear, user=True, write=True)
    assert (found.mode, found.refusal) == (mode, None)
    assert (found.physical, found.page) == (gpa, size)
    assert [each.table for each in found.entries] == tables
    assert [each.at for each in found.entries] == list(entries)
    assert [each.raw for each in found.entries] == list(entries.values())
    assert [each.maps for each in found.entries] == [False] * (len(tables) - 1) + [True]


def test_nothing_is_touched() -> None:
    mode, entries, linear, *_ = MAPPED[5]
    rig = built(mode, entries)
    before = rig.machine.read_physical(ROOT, 0x4000)
    answer(rig, linear, write=True)
    assert rig.machine.read_physical(ROOT, 0x4000) == before


def test_without_paging_an_address_is_itself() -> None:
    rig = Rig(wide=False)
    found = answer(rig, 0x1_2345_6789)
    assert (found.mode, found.linear, found.physical) == ("none", *[0x2345_6789] * 2)
    assert (found.entries, found.page, found.refusal) == ((), None, None)


# What is refused.


@dataclass(frozen=True)
class Case:
    mode: str
    entries: dict[int, int]
    linear: int
    access: dict[str, bool]
    code: str
    table: str | None
    error: int
    cr4: int = 0
    efer: int | None = None


def long(pte: int, pde: int = 7, pdpte: int = 7, pml4e: int = 7) -> dict[int, int]:
    """Tables that map linear 0x1000 by `pte`."""
    return {
        ROOT: SECOND | pml4e, SECOND: THIRD | pdpte, THIRD: FOURTH | pde,
        FOURTH + 8: pte,
    }  # fmt: skip


READ: dict[str, bool] = {}
WRITE, USER, FETCH = {"write": True}, {"user": True}, {"fetch": True}
USER_WRITE, USER_FETCH = WRITE | USER, FETCH | USER
L = "4-level"
CASES = [
    Case(L, long(0), 0x1000, READ, "not-present", "PTE", 0b00000),
    Case(L, long(0), 0x1000, WRITE, "not-present", "PTE", 0b00010),
    Case(L, long(0), 0x1000, USER, "not-present", "PTE", 0b00100),
    Case(L, long(0), 0x1000, USER_WRITE, "not-present", "PTE", 0b00110),
    Case(L, long(0), 0x1000, USER_FETCH, "not-present", "PTE", 0b10100),
    Case(L, long(7, pde=6), 0x1000, READ, "not-present", "PDE", 0),
    Case(L, long(7, pdpte=6), 0x1000, READ, "not-present", "PDPTE", 0),
    Case(L, long(7, pml4e=6), 0x1000, READ, "not-present", "PML4E", 0),
    # A table that is in no memory: nothing is there.
    Case(L, {ROOT: 0x80_0000_0007}, 0, READ, "not-present", "PDPTE", 0),
    # Reserved: bits 51:40, PS of a PML4E, below the address of a large page, XD.
    Case(L, long(7 | 1 << 40), 0x1000, READ, "reserved", "PTE", 0b01001),
    Case(L, long(7 | 1 << 51), 0x1000, USER_WRITE, "reserved", "PTE", 0b01111),
    Case(L, long(7, pml4e=0x87), 0x1000, READ, "reserved", "PML4E", 0b01001),
    Case(L, {ROOT: SECOND | 7, SECOND: 0x87 | 1 << 13}, 0, WRITE, "reserved", "PDPTE",
         0b01011),
    Case(L, {ROOT: SECOND | 7, SECOND: THIRD | 7, THIRD: 0x87 | 1 << 20}, 0, READ,
         "reserved", "PDE", 0b01001),
    Case(L, long(7 | NX), 0x1000, FETCH, "reserved", "PTE", 0b01001, efer=LME | LMA),
    # Rights, and-ed over the levels.
    Case(L, long(5), 0x1000, USER_WRITE, "read-only", "PTE", 0b00111),
    Case(L, long(5), 0x1000, WRITE, "read-only", "PTE", 0b00011),
    Case(L, long(7, pde=5), 0x1000, WRITE, "read-only", "PDE", 0b00011),
    Case(L, long(7, pml4e=5), 0x1000, USER_WRITE, "read-only", "PML4E", 0b00111),
    Case(L, long(3), 0x1000, USER, "supervisor-page", "PTE", 0b00101),
    Case(L, long(7, pdpte=3), 0x1000, USER_FETCH, "supervisor-page", "PDPTE", 0b10101),
    Case(L, long(3 | NX), 0x1000, USER_FETCH, "no-execute", "PTE", 0b10101),
    Case(L, long(3 | NX), 0x1000, FETCH, "no-execute", "PTE", 0b10001),
    Case(L, long(7, pde=7 | NX), 0x1000, FETCH, "no-execute", "PDE", 0b10001),
    Case(L, long(7), 0x1000, FETCH, "smep", None, 0b10001, cr4=SMEP),
    Case(L, long(7), 0x1000, FETCH, "smep", None, 0b10001, cr4=SMEP, efer=LME | LMA),
    Case(L, long(7), 0x1000, READ, "smap", None, 0b00001, cr4=SMAP),
    Case(L, long(7), 0x1000, WRITE, "smap", None, 0b00011, cr4=SMAP),
    Case("32-bit", {}, 0x40_0000, READ, "not-present", "PDE", 0),
    Case("32-bit", {ROOT: SECOND | 7}, 0, USER_WRITE, "not-present", "PTE", 0b00110),
    # I/D is told of with PAE and NXE, or with SMEP; else a fetch looks like a read.
    Case("32-bit", {ROOT: SECOND | 7}, 0, USER_FETCH, "not-present", "PTE", 0b00100),
    Case("32-bit", {ROOT: 7}, 0, FETCH, "not-present", "PTE", 0b10000, cr4=SMEP),
    Case("32-bit", {ROOT: 0x87 | 1 << 21}, 0, READ, "reserved", "PDE", 0b01001),
    Case("32-bit", {ROOT: 0x85}, 0, WRITE, "read-only", "PDE", 0b00011),
    Case("PAE", {ROOT: 0}, 0, READ, "not-present", "PDPTE", 0),
    Case("PAE", {ROOT: SECOND | 1 | NX}, 0, READ, "reserved", "PDPTE", 0b01001),
    Case("PAE", {ROOT: SECOND | 1 | 1 << 52}, 0, READ, "reserved", "PDPTE", 0b01001),
    Case("PAE", {ROOT: SECOND | 1, SECOND: 0x85}, 0, WRITE, "read-only", "PDE",
         0b00011),
    Case("PAE", {ROOT: SECOND | 1, SECOND: 0x87 | 1 << 62}, 0, READ, "reserved", "PDE",
         0b01001),
    Case("PAE", {ROOT: SECOND | 1, SECOND: 0x87 | NX}, 0, FETCH, "no-execute", "PDE",
         0b10001),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c.mode}-{c.code}-{c.error:05b}"
)
def test_each_refusal_has_the_error_code_of_the_manual(case: Case) -> None:
    rig = built(case.mode, case.entries, cr4=case.cr4, efer=case.efer)
    found = answer(rig, case.linear, **case.access)
    refusal = found.refusal
    assert refusal is not None, found
    assert (refusal.code, refusal.table, refusal.vector, refusal.error) == (
        case.code, case.table, 14, case.error,
    )  # fmt: skip
    assert found.text.endswith(f"#PF, error code {case.error:#x}")
    is_there = case.code not in {"not-present", "reserved"}
    assert (found.physical is not None) == is_there


def test_what_is_not_canonical_is_no_page_fault() -> None:
    rig = built(L, long(7))
    for linear in (1 << 47, (1 << 64) - (1 << 47) - 1, 0x1234 << 48):
        found = answer(rig, linear)
        assert found.refusal is not None
        assert (found.refusal.code, found.refusal.vector, found.refusal.error) == (
            "not-canonical", 13, 0,
        )  # fmt: skip
        assert found.entries == ()
    for linear in ((1 << 47) - 1, (1 << 64) - (1 << 47), (1 << 64) - 1):
        found = answer(rig, linear)
        assert found.refusal is not None
        assert found.refusal.code == "not-present"


def test_ac_lets_the_supervisor_through_smap_and_a_clear_wp_through_rw() -> None:
    rig = built(L, long(5), cr4=SMAP)
    regs = rig.vcpu(0).regs
    regs.rflags |= AC
    assert answer(rig, 0x1000).refusal is None
    assert answer(rig, 0x1000, write=True).refusal is not None
    regs.cr0 = PE | PG
    assert answer(rig, 0x1000, write=True).refusal is None


def test_an_entry_is_taken_apart() -> None:
    pte = 0x9_0000 | 0x1FF | NX
    found = answer(built(L, long(pte, pde=0x2B)), 0x1000)
    assert found.entries[3].flags == (
        "P", "RW", "US", "PWT", "PCD", "A", "D", "G", "PAT", "NX",
    )  # fmt: skip
    assert found.entries[2].flags == ("P", "RW", "PWT", "A")
    assert (found.entries[3].address, found.entries[2].address) == (0x9_0000, FOURTH)
    rights = found.rights
    assert rights is not None
    assert (rights.write, rights.user, rights.fetch) == (True, False, False)
    bad = answer(built("PAE", {ROOT: SECOND | 0x81 | NX}), 0)
    assert bad.entries[0].flags == ("P",)
    assert bad.entries[0].reserved == NX
    large = answer(built("PAE", {ROOT: SECOND | 0x19, SECOND: 0x1087}), 0)
    assert large.entries[0].flags == ("P", "PWT", "PCD")
    assert large.entries[1].flags == ("P", "RW", "US", "PS", "PAT")


@pytest.mark.parametrize(
    ("bits", "name"),
    [(0, "WB"), (1 << 3, "WT"), (1 << 4, "UC-"), (3 << 3, "UC"), (1 << 7, "WB")],
)
def test_the_memory_type_is_that_of_the_pat_at_reset(bits: int, name: str) -> None:
    assert answer(built(L, long(7 | bits)), 0x1000).memory_type == name


def test_the_pat_that_the_guest_wrote_counts() -> None:
    rig = built(L, long(7 | 1 << 7))
    rig.vcpu(0).msrs[0x277] = 0x0000_0001_0000_0000
    assert answer(rig, 0x1000).memory_type == "WC"


@pytest.mark.parametrize(
    ("page", "name"),
    [(0x5000, "RAM"), (0xFEE0_0000, "local APIC"), (0xFEC0_0000, "ioapic"),
     (0xC000_0000, None)],
)  # fmt: skip
def test_it_is_told_who_serves_the_address(page: int, name: str | None) -> None:
    assert answer(built(L, long(page | 7)), 0x1000).served == name


def test_a_vcpu_that_is_not_there() -> None:
    with pytest.raises(EngineError):
        pages.page(Rig().machine, 7, 0, PageAccess())


# A second model: one table after the other, with the masks of the manual.


def model(rig: Rig, mode: str, linear: int, access: PageAccess) -> tuple[Any, ...]:
    """Return the physical address, the bytes of the page, and the error code."""
    regs, read = rig.vcpu(0).regs, rig.machine.read_physical
    nxe = bool(regs.efer & NXE)
    kind = 2 * access.write + 4 * access.user
    if access.fetch and ((mode != "32-bit" and nxe) or regs.cr4 & SMEP):
        kind += 16
    shifts = {"32-bit": (22, 12), "PAE": (30, 21, 12), "4-level": (39, 30, 21, 12)}
    size, bits = (4, 10) if mode == "32-bit" else (8, 9)
    table, write, user, execute = (
        regs.cr3 & ~0x1F if mode == "PAE" else regs.cr3,
        1,
        1,
        1,
    )
    for shift in shifts[mode]:
        at = table + size * (linear >> shift & ((1 << bits) - 1))
        try:
            raw = int.from_bytes(read(at, size), "little")
        except EngineError:
            raw = 0
        if not raw & 1:
            return None, None, kind
        pdpte = mode == "PAE" and shift == 30
        can_be_large = (mode == "4-level" and shift in {30, 21}) or shift in {21, 22}
        large = can_be_large and bool(raw & 0x80)
        bad = 0
        if mode == "32-bit":
            bad = raw & 1 << 21 if large else 0
        else:
            bad = raw & 0x000F_FF00_0000_0000
            bad |= raw & (0 if nxe and not pdpte else NX)
            bad |= raw & (0x7FF0_0000_0000_0000 if mode == "PAE" else 0)
            bad |= raw & 0x80 if shift == 39 else 0
            bad |= raw & ((1 << shift) - 1) & ~0x1FFF if large else 0
        if bad:
            return None, None, kind | 9
        if not pdpte:
            write, user = write & raw >> 1, user & raw >> 2
            execute &= not raw & NX
        if large or shift == 12:
            base = raw & 0xFF_FFFF_F000 & ~((1 << shift) - 1)
            if mode == "32-bit":
                base = raw & 0xFFFF_F000 & ~((1 << shift) - 1)
                base |= (raw & 0x1F_E000) << 19 if large else 0
            gpa = base | linear & ((1 << shift) - 1)
            may = _may(regs, access, write=write, user=user, execute=execute)
            return gpa, 1 << shift, None if may else kind | 1
        table = raw & 0xFF_FFFF_F000 if size == 8 else raw & 0xFFFF_F000
    raise AssertionError


def _may(regs: Any, access: PageAccess, *, write: int, user: int, execute: int) -> bool:
    if access.fetch and not execute:
        return False
    if access.user:
        return bool(user) and (not access.write or bool(write))
    if user and access.fetch and regs.cr4 & SMEP:
        return False
    if user and not access.fetch and regs.cr4 & SMAP and not regs.rflags & AC:
        return False
    return not access.write or bool(write) or not regs.cr0 & WP


def entry(draw: st.DrawFn, table: int, wide: bool) -> int:
    """An entry: mostly present and sound, now and then with any bit that there is."""
    raw = table | draw(st.sampled_from((7, 7, 3, 5, 1, 0x87, 0x83, 0x27, 0)))
    for at in draw(st.lists(st.integers(3, 63 if wide else 31), max_size=2)):
        if draw(st.booleans()):
            raw |= 1 << at
    return raw


@st.composite
def walks(draw: st.DrawFn) -> tuple[Rig, str, int, PageAccess]:
    mode = draw(st.sampled_from(sorted(MODES)))
    wide = mode != "32-bit"
    shifts = {"32-bit": (22, 12), "PAE": (30, 21, 12), "4-level": (39, 30, 21, 12)}[
        mode
    ]
    linear = draw(st.integers(0, (1 << 32) - 1 if mode != "4-level" else (1 << 47) - 1))
    bits, entries, table = 9 if wide else 10, {}, ROOT
    for shift in shifts:
        index = linear >> shift & ((1 << bits) - 1)
        raw = entry(draw, table + 0x1000, wide)
        if mode == "PAE" and shift == 30:
            raw = raw & ~6 | 1
        entries[table + (8 if wide else 4) * index] = raw & (
            2**64 - 1 if wide else 2**32 - 1
        )
        table += 0x1000
    cr4 = draw(st.sampled_from((0, SMEP, SMAP, SMEP | SMAP)))
    rig = built(mode, entries, cr4=cr4)
    regs = rig.vcpu(0).regs
    if draw(st.booleans()):
        regs.efer &= ~NXE
    if draw(st.booleans()):
        regs.rflags |= AC
    if draw(st.booleans()):
        regs.cr0 = PE | PG
    write = draw(st.booleans())
    fetch = not write and draw(st.booleans())
    return rig, mode, linear, PageAccess(write, draw(st.booleans()), fetch)


@settings(max_examples=400, deadline=None)
@given(walks())
def test_a_walk_is_that_of_the_second_model(
    it: tuple[Rig, str, int, PageAccess],
) -> None:
    rig, mode, linear, access = it
    found = pages.page(rig.machine, 0, linear, access)
    error = None if found.refusal is None else found.refusal.error
    assert (found.physical, found.page, error) == model(rig, mode, linear, access)
