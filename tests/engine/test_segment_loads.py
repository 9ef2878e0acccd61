"""Loads of segment and table registers: every rule of the manual, against the engine.

A second model of SDM Vol. 2A "MOV", "POP", "LLDT", "LTR", "LGDT/LIDT" says what shall
come of each case; the cases are all kinds of descriptors, selectors, CPLs and modes.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.registers import CS, VM, Registers, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

TS, NP, SS_FAULT, GP, UD = 10, 11, 12, 13, 6
NAMES = "es", "cs", "ss", "ds", "fs", "gs"
GDT_AT, LDT_AT = 0x5000, 0x5800
SLOT = 0x40
"""The descriptor under test, in either table."""
LIMIT = 0x6F
"""Of both tables: SLOT and one more of 16 bytes are in, and 0x70 is not."""
MODES = "protected", "compat", "long"
OUTCOME = tuple[int, int] | None


class Case(NamedTuple):
    mode: str
    cpl: int
    seg: str
    selector: int
    access: int
    """P, DPL, S and type, as byte 5 of the descriptor."""


def descriptor(access: int) -> bytes:
    """Base 0x123456, limit 0xFFFF bytes, B."""
    return bytes([0xFF, 0xFF, 0x56, 0x34, 0x12, access, 0x40, 0])


def expected(case: Case) -> OUTCOME:
    """What MOV to a segment register does: vector and error code, or None."""
    selector, cpl, ss = case.selector, case.cpl, case.seg == "ss"
    rpl, error = selector & 3, selector & 0xFFFC
    if not error:
        if not ss:
            return None
        fine = case.mode == "long" and cpl != 3 and rpl == cpl
        return None if fine else (GP, 0)
    if selector & 0xFFF8 != SLOT:
        return GP, error
    access = case.access
    present, dpl, system = access >> 7, access >> 5 & 3, not access & 0x10
    code, conforming, rw = access & 8, access & 4, access & 2
    if ss:
        if rpl != cpl or system or code or not rw or dpl != cpl:
            return GP, error
        return None if present else (SS_FAULT, error)
    if system or (code and not rw):
        return GP, error
    if not (code and conforming) and (rpl > dpl or cpl > dpl):
        return GP, error
    return None if present else (NP, error)


@cache
def rig(mode: str) -> Rig:
    found = Rig(wide=mode in {"compat", "long"})
    for table in 0x9_0000, 0x9_1000, 0x9_2000:  # U, for CPL 3
        found.vm.memory.write(table, bytes([found.vm.memory.read(table, 1)[0] | 4]))
    return found


def ready(mode: str, cpl: int) -> tuple[Rig, Registers]:
    """A vCPU of a mode and a CPL, flat, with both tables."""
    found = rig(mode)
    vcpu = found.vcpu(0)
    vcpu.event, vcpu.halted, found.vm.suspended = None, False, None
    regs = vcpu.regs
    dpl = cpl << 13
    code = (0xA0_9B00 if mode == "long" else 0xC0_9B00) | dpl
    regs.set_segment(CS, Segment(8 | cpl, 0, 0xFFFF_FFFF, code))
    for index in (0, 2, 3, 4, 5):
        flags = 0xC0_9300 | dpl
        regs.set_segment(index, Segment(0x18 | cpl, 0, 0xFFFF_FFFF, flags))
    if mode in {"real", "v86"}:
        regs.cr0 = 0x11 if mode == "v86" else 0x10
        for index in range(6):
            regs.set_segment(index, Segment(0, 0, 0xFFFF, 0xF300))
        regs.set_segment(CS, Segment(CODE >> 4, CODE, 0xFFFF, 0xF300))
    regs.gdtr = Segment(0, GDT_AT, LIMIT, 0)
    regs.ldtr = Segment(0x28, LDT_AT, LIMIT, 0x8200)
    regs.rip = 0 if mode in {"real", "v86"} else CODE
    regs.rflags, regs.shadow = 2 | (VM if mode == "v86" else 0), False
    regs.gpr[4] = 0x8000
    return found, regs


def outcome(found: Rig, code: bytes) -> OUTCOME:
    """Do one instruction; return the exception that it raised, or None."""
    found.vm.memory.write(CODE, code.ljust(16, b"\x90"))
    seen = found.machine.log.next_seq
    run(found.vm, found.vcpu(0), budget=1)
    for logged in found.machine.log.since(seen):
        event = logged.event
        if isinstance(event, ExceptionRaised):
            return event.vector, event.error or 0
    return None


def cases(seg: str) -> Iterator[Case]:
    """Every descriptor by the fitting selectors, and what is no descriptor."""
    for mode, cpl in product(MODES, (0, 3)):
        for selector in (0, 1, 2, 3, 0x70, 0x73, 0x74, 0xFFFF):
            yield Case(mode, cpl, seg, selector, 0xF3)
        for dpl, rpl in product((0, 3), repeat=2):
            for kind in (2, 9, 0xC, 0x10, 0x12, 0x16, 0x18, 0x1A, 0x1C, 0x1E):
                access = 0x80 | dpl << 5 | kind
                yield Case(mode, cpl, seg, SLOT | (kind & 4) | rpl, access)
        for kind, present in product((0x12, 0x1A, 2), (0x80, 0)):
            yield Case(mode, cpl, seg, SLOT | 4 | cpl, present | cpl << 5 | kind)


def load(case: Case) -> tuple[OUTCOME, Segment]:
    found, regs = ready(case.mode, case.cpl)
    for at in (GDT_AT, LDT_AT):
        found.vm.memory.write(at + SLOT, descriptor(case.access))
    index = NAMES.index(case.seg)
    regs.gpr[0] = case.selector
    return outcome(found, bytes([0x8E, 0xC0 | index << 3])), regs.segment(index)


@pytest.mark.parametrize("seg", ["ss", "ds", "fs"])
def test_mov_to_a_segment_register(seg: str) -> None:
    wrong: list[tuple[object, ...]] = []
    for case in cases(seg):
        came, segment = load(case)
        if came != expected(case):
            wrong.append((case, came, expected(case)))
        elif came is None and case.selector & 0xFFFC:
            base, flags = 0x12_3456, 0x40_0000 | (case.access | 1) << 8
            got = segment._replace(flags=segment.flags & 0xF0_FF00)
            if got != Segment(case.selector, base, 0xFFFF, flags):
                wrong.append((case, segment, None))
    assert wrong == []


class TableCase(NamedTuple):
    mode: str
    cpl: int
    op: str
    selector: int
    access: int
    top: int = 0
    """Dword 2 of a 16-byte descriptor: base 63:32."""
    kind_above: int = 0
    """Byte 13 of it: its low five bits must be 0."""


MODRM = {"lldt": 0xD0, "ltr": 0xD8}
HOLE, HIGH = 0x8000, 0xFFFF_8000


def expected_table(case: TableCase) -> OUTCOME:
    """What LLDT or LTR does."""
    error = case.selector & 0xFFFC
    if case.mode in {"real", "v86"}:
        return UD, 0
    if case.cpl:
        return GP, 0
    if not error:
        return None if case.op == "lldt" else (GP, 0)
    if case.selector & 4:
        return GP, error
    wide = case.mode != "protected"
    at, size = case.selector & 0xFFF8, 16 if wide else 8
    if at + size - 1 > LIMIT or at not in {SLOT, 0x60, 0x68}:
        return GP, error
    kinds = {"lldt": {2}, "ltr": {9} if wide else {1, 9}}[case.op]
    if case.access & 0x1F not in kinds:
        return GP, error
    if not case.access & 0x80:
        return NP, error
    if wide and (case.top >> 15 not in {0, 0x1FFFF} or case.kind_above & 0x1F):
        return GP, error
    return None


def table_cases(op: str) -> Iterator[TableCase]:
    for mode in MODES:
        yield TableCase(mode, 3, op, SLOT, 0x82 if op == "lldt" else 0x89)
        for selector in (0, 3, 4, SLOT | 4, 0x60, 0x68, 0x70, SLOT | 3):
            yield TableCase(mode, 0, op, selector, 0x82 if op == "lldt" else 0x89)
        for kind, present in product(range(32), (0x80, 0)):
            yield TableCase(mode, 0, op, SLOT, present | kind)
        for top in (HOLE, HIGH, 0x7FFF, 0xFFFF_7FFF, 1 << 31):
            yield TableCase(mode, 0, op, SLOT, 0x82 if op == "lldt" else 0x89, top)
        for above in (2, 9, 0x10, 0xE0):
            access = 0x82 if op == "lldt" else 0x89
            yield TableCase(mode, 0, op, SLOT, access, 0, above)
    for mode in ("real", "v86"):
        yield TableCase(mode, 0, op, SLOT, 0x82)


@pytest.mark.parametrize("op", ["lldt", "ltr"])
def test_lldt_and_ltr(op: str) -> None:
    wrong: list[tuple[object, ...]] = []
    for case in table_cases(op):
        found, regs = ready(case.mode, case.cpl)
        low = bytes([0x67, 0, 0x56, 0x34, 0x12, case.access, 0, 0])
        high = case.top.to_bytes(4, "little") + bytes([0, case.kind_above, 0, 0])
        for at in (SLOT, 0x60):
            found.vm.memory.write(GDT_AT + at, low + high)
        if case.mode == "protected":
            found.vm.memory.write(GDT_AT + 0x68, low)
        regs.gpr[0] = case.selector
        came = outcome(found, bytes([0x0F, 0x00, MODRM[op]]))
        if came != expected_table(case):
            wrong.append((case, came, expected_table(case)))
            continue
        where = GDT_AT + (case.selector & 0xFFF8) + 5
        busy = found.vm.memory.read(where, 1)[0]
        if came is None and op == "ltr" and busy != case.access | 2:
            wrong.append((case, busy, case.access | 2))
        if came is None and case.selector & 0xFFFC:
            base = 0x12_3456 | (case.top << 32 if case.mode != "protected" else 0)
            got = regs.tr if op == "ltr" else regs.ldtr
            if got[:3] != (case.selector, base, 0x67):
                wrong.append((case, got, base))
    assert wrong == [], len(wrong)


@pytest.mark.parametrize("modrm", [0x10, 0x18])
@pytest.mark.parametrize(
    ("base", "fault"),
    [
        *((at, None) for at in (0x1000, HIGH << 32, (1 << 47) - 1)),
        *((at, (GP, 0)) for at in (1 << 47, 0xFFFF_7FFF_FFFF_FFFF, 1 << 63)),
    ],
)
def test_lgdt_and_lidt_of_a_base(modrm: int, base: int, fault: OUTCOME) -> None:
    found, regs = ready("long", 0)
    idtr = regs.idtr
    found.vm.memory.write(0x6000, b"\x34\x12" + base.to_bytes(8, "little"))
    regs.gpr[0] = 0x6000
    came = outcome(found, bytes([0x0F, 0x01, modrm]))
    got, kept = (regs.gdtr, Segment(0, GDT_AT, LIMIT, 0)), (regs.idtr, idtr)
    table, before = got if modrm == 0x10 else kept
    regs.idtr = idtr
    assert came == fault
    assert table[1:3] == ((base, 0x1234) if fault is None else before[1:3])


@pytest.mark.parametrize("mode", ["real", "v86"])
def test_what_is_for_protected_mode_alone(mode: str) -> None:
    for code in [
        "0f00c0",
        "0f00c8",
        "0f00d0",
        "0f00d8",
        "0f00e0",
        "0f00e8",
        "0f02c0",
        "0f03c0",
        "63c0",
    ]:
        found, _ = ready(mode, 0)
        assert outcome(found, bytes.fromhex(code)) == (UD, 0), code


@pytest.mark.parametrize(
    ("mode", "code", "came"),
    [
        ("long", "480f01e0", 0x8000_0011),
        ("long", "0f01e0", 0x8000_0011),
        ("long", "660f01e0", 0xAAAA_AAAA_AAAA_0011),
        ("compat", "0f01e0", 0x8000_0011),
        ("protected", "0f01e0", 0x0000_0011),
        ("protected", "660f01e0", 0xAAAA_AAAA_AAAA_0011),
        ("real", "660f01e0", 0x6000_0010),
        ("real", "0f01e0", 0xAAAA_AAAA_AAAA_0010),
    ],
)
def test_smsw_to_a_register(mode: str, code: str, came: int) -> None:
    """SDM Vol. 2B "SMSW"; bits 31:16 of a dword are CR0's on every processor."""
    found, regs = ready(mode, 0)
    regs.gpr[0], before = 0xAAAA_AAAA_AAAA_AAAA, regs.cr0
    regs.cr0 = came & 0xFFFF_FFFF if came >> 32 == 0 else before
    assert outcome(found, bytes.fromhex(code)) is None
    got = regs.gpr[0]
    regs.cr0 = before
    assert got == came


def test_a_null_ss_by_lss() -> None:
    for rpl, fault in (0, None), (1, (GP, 0)):
        found, regs = ready("long", 0)
        found.vm.memory.write(0x6000, bytes(4) + bytes([rpl, 0]))
        regs.gpr[3] = 0x6000
        assert outcome(found, bytes.fromhex("0fb223")) == fault
