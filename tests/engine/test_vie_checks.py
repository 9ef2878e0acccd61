"""Segment limits and types, canonical addresses and alignment of emulated accesses.

The faults are those of SDM Vol. 3A "Limit Checking", "Type Checking" and "Alignment
Check", Vol. 1 "Canonical Addressing".
"""

from __future__ import annotations

import pytest
from rigs.vie_rig import DATA, HOLE, Rig, read, write

from lapis_engine.cpu.fault import AC_, GP, PF_, SS_, GuestFault
from lapis_engine.cpu.registers import (
    CR0_AM,
    CR0_WP,
    CR4_SMAP,
    DS,
    ES,
    FS,
    GS,
    SS,
    Segment,
)
from lapis_engine.profiles.catalog import profile_named
from lapis_engine.vie.checks import Operand, check
from lapis_engine.vmm import exits

DATA_RW, DATA_RO, DOWN_RW = 0xC0_9300, 0xC0_9100, 0xC0_9700
CODE_RX, CODE_X = 0xC0_9B00, 0xC0_9900
BIG = 0xFFFF_FFFF
AC = 1 << 18
PAGE = 0x1000


ROWS = [
    # segment in DS, offset, bytes, write, faults
    (Segment(0x10, 0, 0xFFF, DATA_RW), 0xFFC, 4, False, False),
    (Segment(0x10, 0, 0xFFF, DATA_RW), 0xFFD, 4, False, True),
    (Segment(0x10, 0, 0xFFF, DATA_RW), 0xFFF, 1, True, False),
    (Segment(0x10, 0, 0xFFF, DATA_RW), 0x1000, 1, True, True),
    (Segment(0x10, 0, BIG, DATA_RW), BIG, 1, True, False),
    (Segment(0x10, 0, BIG, DATA_RW), BIG, 2, True, True),
    # Expand-down: what is above the limit counts, up to 64 KiB or 4 GiB.
    (Segment(0x10, 0, 0xFFF, DOWN_RW), 0x1000, 4, True, False),
    (Segment(0x10, 0, 0xFFF, DOWN_RW), 0xFFF, 4, True, True),
    (Segment(0x10, 0, 0xFFF, DOWN_RW), BIG - 3, 4, True, False),
    (Segment(0x10, 0, 0xFFF, DOWN_RW), BIG - 2, 4, True, True),
    (Segment(0x10, 0, 0xFFF, DOWN_RW & ~0x40_0000), 0xFFFC, 4, True, False),
    (Segment(0x10, 0, 0xFFF, DOWN_RW & ~0x40_0000), 0xFFFD, 4, True, True),
    # Types.
    (Segment(0x10, 0, BIG, DATA_RO), 0, 4, False, False),
    (Segment(0x10, 0, BIG, DATA_RO), 0, 4, True, True),
    (Segment(0x10, 0, BIG, CODE_RX), 0, 4, False, False),
    (Segment(0x10, 0, BIG, CODE_RX), 0, 4, True, True),
    (Segment(0x10, 0, BIG, CODE_X), 0, 4, False, True),
    (Segment(0, 0, 0, 0), 0, 1, False, True),
]


@pytest.mark.parametrize("index", [DS, ES, SS])
@pytest.mark.parametrize(("segment", "offset", "size", "store", "faults"), ROWS)
def test_a_segment_allows_what_its_descriptor_says(
    index: int, segment: Segment, offset: int, size: int, store: bool, faults: bool
) -> None:
    rig = Rig("90", 32)
    rig.regs.set_segment(index, segment)
    operand = Operand(index, offset)
    if not faults:
        check(rig.regs, operand, size, write=store)
        return
    with pytest.raises(GuestFault) as raised:
        check(rig.regs, operand, size, write=store)
    expected = SS_ if index == SS else GP
    assert (raised.value.vector, raised.value.error) == (expected, 0)


@pytest.mark.parametrize(
    ("index", "offset", "base", "vector"),
    [
        (DS, (1 << 47) - 4, 0, None),
        (DS, (1 << 47) - 3, 0, GP),
        (DS, 1 << 47, 0, GP),
        (SS, 1 << 47, 0, SS_),
        (DS, (1 << 64) - (1 << 47) - 1, 0, GP),
        (DS, (1 << 64) - (1 << 47), 0, None),
        (DS, 0x1000, 1 << 47, None),  # the base of DS does not count
        (FS, 0x1000, 1 << 47, GP),
        (GS, (1 << 64) - 8, 0x10, None),  # wraps
    ],
)
def test_in_64_bits_only_canonical_addresses_are_allowed(
    index: int, offset: int, base: int, vector: int | None
) -> None:
    rig = Rig("90")
    rig.regs.set_base(index, base)
    if vector is None:
        check(rig.regs, Operand(index, offset), 4, write=True)
        return
    with pytest.raises(GuestFault) as raised:
        check(rig.regs, Operand(index, offset), 4, write=True)
    assert (raised.value.vector, raised.value.error) == (vector, 0)


def test_real_mode_has_limits_and_no_types() -> None:
    rig = Rig("90", 16)
    rig.regs.set_segment(DS, Segment(0x1000, 0x1_0000, 0xFFFF, CODE_X & ~0x40_0000))
    check(rig.regs, Operand(DS, 0xFFFE), 2, write=True)
    with pytest.raises(GuestFault) as raised:
        check(rig.regs, Operand(DS, 0xFFFF), 2, write=True)
    assert raised.value.vector == GP


# By instruction: nothing is asked, nothing has changed, RIP stays.

FORMS = [
    ("8b03", "a load"),
    ("8903", "a store"),
    ("0903", "or, which reads first"),
    ("8703", "xchg"),
    ("f3a4", "rep movsb out of it"),
    ("ac", "lodsb"),
]


@pytest.mark.parametrize(("code", "what"), FORMS)
def test_a_limit_holds_for_every_kind_of_instruction(code: str, what: str) -> None:
    del what
    rig = Rig(code, 32, rbx=HOLE + 0x10, rsi=HOLE + 0x10, rdi=DATA, rcx=2)
    rig.regs.set_segment(DS, Segment(0x10, 0, HOLE + 0xF, DATA_RW))
    before = tuple(rig.gpr)
    assert rig.run() is None
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (GP, 0)
    assert (tuple(rig.gpr), rig.regs.rip) == (before, rig.case.rip)


@pytest.mark.parametrize("code", ["8903", "0903", "8703", "f00fc103", "fe03"])
def test_a_write_into_a_read_only_segment_faults_before_anything_is_read(
    code: str,
) -> None:
    rig = Rig(code, 32, rbx=HOLE + 0x10)
    rig.regs.set_segment(DS, Segment(0x10, 0, BIG, DATA_RO))
    assert rig.run() is None
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (GP, 0)


def test_a_read_from_a_read_only_segment_is_asked_for() -> None:
    rig = Rig("0303", 32, rbx=HOLE + 0x10)  # add eax, [ebx]
    rig.regs.set_segment(DS, Segment(0x10, 0, BIG, DATA_RO))
    assert rig.run() == read(HOLE + 0x10, 4)


def test_the_stack_segment_has_its_own_fault() -> None:
    rig = Rig("8b4500", 32, rbp=HOLE)  # mov eax, [ebp]
    rig.regs.set_segment(SS, Segment(0x10, 0, HOLE + 2, DATA_RW))
    assert rig.run() is None
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (SS_, 0)


def test_rep_stops_at_the_limit_with_what_is_done_done() -> None:
    rig = Rig("f3a4", 32, rsi=DATA, rdi=HOLE, rcx=5, served=True, budget=1000)
    rig.regs.set_segment(ES, Segment(0x10, 0, HOLE + 2, DATA_RW))
    assert rig.run() is None
    assert rig.fault is not None
    assert rig.fault.vector == GP
    assert (rig.gpr[1], rig.gpr[6], rig.gpr[7]) == (2, DATA + 3, HOLE + 3)
    assert rig.regs.rip == rig.case.rip


@pytest.mark.parametrize(
    ("code", "rbx", "cpl", "cr0", "rflags", "faults"),
    [
        ("8b03", HOLE + 1, 3, CR0_AM, AC, True),
        ("8b03", HOLE + 4, 3, CR0_AM, AC, False),
        ("8b03", HOLE + 1, 0, CR0_AM, AC, False),
        ("8b03", HOLE + 1, 3, 0, AC, False),
        ("8b03", HOLE + 1, 3, CR0_AM, 0, False),
        ("8a03", HOLE + 1, 3, CR0_AM, AC, False),
        ("668b03", HOLE + 1, 3, CR0_AM, AC, True),
        ("0903", HOLE + 2, 3, CR0_AM, AC, True),
        ("488b03", HOLE + 4, 3, CR0_AM, AC, True),
        ("66a5", HOLE + 1, 3, CR0_AM, AC, True),
        ("a7", HOLE + 2, 3, CR0_AM, AC, True),
    ],
)
def test_alignment_is_checked_at_cpl_3_with_both_bits_set(
    code: str, rbx: int, cpl: int, cr0: int, rflags: int, faults: bool
) -> None:
    rig = Rig(code, cpl=cpl, rflags=2 | rflags, rbx=rbx, rsi=rbx, rdi=DATA)
    rig.regs.cr0 |= cr0
    out = rig.run()
    if not faults:
        assert isinstance(out, exits.Mmio)
        return
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (AC_, 0)
    assert rig.regs.rip == rig.case.rip


# Page faults: the code, CR2 and the bits that the walk leaves behind.

TABLE = 0x1_C000 + 16 * 8
"""The window's first entry; the hole's two pages are entries 6 and 7."""


def low_bits(rig: Rig, page: int) -> int:
    return rig.memory(TABLE + 8 * page, 1)[0]


def test_a_rep_that_reaches_a_missing_page_has_done_all_before_it() -> None:
    pages = {3: (DATA + PAGE) & ~1}
    rig = Rig(
        "f3a4", pages=pages, rsi=HOLE, rdi=DATA + PAGE - 2, rcx=4, served=True,
        budget=1000, cpl=3,
    )  # fmt: skip
    assert rig.run() is None
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (PF_, 0b110)  # user, write
    assert rig.fault.cr2 == DATA + PAGE
    assert (rig.gpr[1], rig.gpr[6], rig.gpr[7]) == (2, HOLE + 2, DATA + PAGE)
    assert (low_bits(rig, 2), low_bits(rig, 6)) == (0x67, 0x27)
    assert rig.regs.rip == rig.case.rip


def test_a_write_to_a_read_only_page_of_a_device_says_present_and_write() -> None:
    rig = Rig("0903", pages={6: HOLE | 5}, rbx=HOLE + 8)
    assert rig.run() == read(HOLE + 8, 4)
    rig.answer(1)
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error, rig.fault.cr2) == (PF_, 3, HOLE + 8)


def test_the_source_of_movs_is_not_read_when_the_target_faults() -> None:
    rig = Rig("a4", pages={2: DATA & ~1}, rsi=HOLE, rdi=DATA + 5)
    assert rig.run() is None
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error, rig.fault.cr2) == (PF_, 2, DATA + 5)


def test_a_dirty_bit_is_set_by_a_store_and_an_accessed_bit_by_a_load() -> None:
    rig = Rig("8903", rbx=HOLE)
    assert rig.run() == write(HOLE, 4, 0)
    rig.answer()
    assert (low_bits(rig, 6), low_bits(rig, 7)) == (0x67, 7)
    rig = Rig("8b03", rbx=HOLE + PAGE)
    rig.run()
    rig.answer()
    assert (low_bits(rig, 6), low_bits(rig, 7)) == (7, 0x27)


# bhyve's own page walk.


@pytest.mark.parametrize(
    ("profile", "faults"), [("sdm", False), ("illumos", True), ("freebsd", True)]
)
def test_bhyve_takes_wp_for_set(
    profile: str, faults: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # movsb from the device to a read-only page, at CPL 0 with CR0.WP clear.
    rig = Rig("a4", pages={2: DATA | 5}, rsi=HOLE, rdi=DATA + 5, served=True)
    rig.regs.cr0 &= ~CR0_WP
    monkeypatch.setattr(rig.vm, "profile", profile_named(profile))
    assert rig.run() is None
    assert (rig.fault is not None) == faults
    if rig.fault is not None:
        assert (rig.fault.vector, rig.fault.error) == (PF_, 3)
        assert rig.fault.cr2 == DATA + 5


@pytest.mark.parametrize(("profile", "faults"), [("sdm", True), ("illumos", False)])
def test_bhyve_does_not_know_smap(
    profile: str, faults: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The device's page is the supervisor's, the target the user's.
    rig = Rig("a4", pages={6: HOLE | 3}, rsi=HOLE, rdi=DATA + 5, served=True)
    rig.regs.cr4 |= CR4_SMAP
    monkeypatch.setattr(rig.vm, "profile", profile_named(profile))
    rig.run()
    assert (rig.fault is not None) == faults


BAD = 1 << 47


@pytest.mark.parametrize(
    ("code", "gpr", "vector"),
    [
        ("8b4500", {"rbp": BAD}, SS_),  # mov eax, [rbp]
        ("8b0424", {"rsp": BAD}, SS_),  # mov eax, [rsp]
        ("8b03", {"rbx": BAD}, GP),
        ("3e8b4500", {"rbp": BAD}, SS_),  # in 64 bits an override by DS is nothing
        ("50", {"rsp": BAD + 16}, SS_),  # push rax
        ("58", {"rsp": BAD}, SS_),  # pop rax
        ("c3", {"rsp": BAD}, SS_),
        ("c9", {"rbp": BAD, "rsp": DATA}, SS_),  # leave
        ("ff33", {"rbx": BAD, "rsp": DATA}, GP),  # push [rbx]
        ("ff33", {"rbx": HOLE, "rsp": BAD + 16}, SS_),
    ],
)
def test_an_address_on_the_stack_that_is_not_canonical_is_a_stack_fault(
    code: str, gpr: dict[str, int], vector: int
) -> None:
    rig = Rig(code, served=False, pages=None, **gpr)
    out = rig.run()
    if out is not None:
        rig.answer(0)
    assert rig.fault is not None
    assert (rig.fault.vector, rig.fault.error) == (vector, 0)
    assert rig.regs.rip == rig.case.rip
