"""IRET in protected and long mode, against the processor underneath and the manual.

Where SDM Vol. 2A "IRET/IRETD/IRETQ" and that processor agree, it is the oracle: every
register and fault must be its own. What it leaves out is held against the manual alone.
"""

import random
import struct
from functools import cache
from typing import NamedTuple

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu import marks
from lapis_engine.cpu.registers import CS, Registers, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

DB, NP, SS_, GP = 1, 11, 12, 13
GDT, STACK, TARGET = 0x5000, 0x8000, CODE + 0x100
NOT_CANONICAL = 0x8000_0000_0000
IF, TF, NT, RF, VM, VIF, VIP = (1 << n for n in (9, 8, 14, 16, 17, 19, 20))
IOPL = 3 << 12
ACCESS = [
    0, 0x9B, 0x93, 0xFB, 0xF3, 0x9F, 0xFF, 0x1B, 0x13, 0x7B, 0x73, 0x91, 0xF1, 0x89,
    0xBB, 0xB3, 0x9B, 0x93, 0xFB, 0xF3, 0xFB,
]  # fmt: skip
BITS = [0xC] * 16 + [0xA] * 5
BITS[17] = BITS[19] = 0x8
"""Descriptors by number: bits 47:40 and 55:52. From 16 on code is 64-bit, and the data
segments have stacks of 16 bits; all are flat."""
LONG_AND_DEFAULT, LIMITED = len(ACCESS), len(ACCESS) + 1
"""What the processor does not look at: L with D, and a limit of 1 MiB."""


class Case(NamedTuple):
    mode: str
    cpl: int
    size: int
    cs: int
    ss: int
    flags: int
    own: int
    """RFLAGS before."""
    rip: int = TARGET


@cache
def rig(mode: str) -> Rig:
    found = Rig(wide=mode != "protected")
    for table in 0x9_0000, 0x9_1000, 0x9_2000:  # U, for CPL 3
        found.vm.memory.write(table, bytes([found.vm.memory.read(table, 1)[0] | 4]))
    descriptors = b"".join(
        struct.pack("<HHBBBB", 0xFFFF, 0, 0, access, bits << 4 | 0xF, 0)
        for access, bits in zip(ACCESS, BITS, strict=True)
    )
    odd = struct.pack("<HHBBBB", 0xFFFF, 0, 0, 0x9B, 0xEF, 0)
    odd += struct.pack("<HHBBBB", 0xFFFF, 0, 0, 0x9B, 0x4F, 0)
    found.vm.memory.write(GDT, descriptors + odd)
    return found


def ready(case: Case) -> tuple[Rig, Registers]:
    found = rig(case.mode)
    vcpu = found.vcpu(0)
    vcpu.event, vcpu.halted, found.vm.suspended = None, False, None
    regs, dpl = vcpu.regs, case.cpl << 13
    code = (0xA0_9B00 if case.mode == "long" else 0xC0_9B00) | dpl
    regs.set_segment(CS, Segment(8 | case.cpl, 0, 0xFFFF_FFFF, code))
    for index in (0, 2, 3, 4, 5):
        data = Segment(0x10 | case.cpl, 0, 0xFFFF_FFFF, 0xC0_9300 | dpl)
        regs.set_segment(index, data)
    regs.gdtr = Segment(0, GDT, 8 * (len(ACCESS) + 2) - 1, 0)
    regs.rip, regs.rflags, regs.shadow = CODE, case.own, False
    for number in range(16):
        regs.gpr[number] = 0x1111_0000 * (number + 1)
    regs.gpr[4] = STACK
    words = case.rip, case.cs, case.flags, 0x2_7654_3210, case.ss, 0x10, 0x13, 0, 0x30
    mask = (1 << 8 * case.size) - 1
    raw = b"".join((word & mask).to_bytes(case.size, "little") for word in words)
    found.vm.memory.write(STACK, raw)
    own = 8 if case.mode == "long" else 4
    prefix = {2: b"\x66", 4: b"", 8: b"\x48"}[case.size]
    assert case.size <= own
    found.vm.memory.write(CODE, prefix + b"\xcf" + b"\x90" * 14)
    return found, regs


def outcome(case: Case) -> tuple[object, ...]:
    """Return the fault, and the registers that IRET may change."""
    found, regs = ready(case)
    seen = found.machine.log.next_seq
    run(found.vm, found.vcpu(0), budget=1)
    for logged in found.machine.log.since(seen):
        if isinstance(logged.event, ExceptionRaised):
            assert logged.event.rip == CODE
            return logged.event.vector, logged.event.error
    pieces = [regs.segment(index) for index in range(6)]
    return regs.rip, regs.rflags, regs.gpr[4], regs.cpl, regs.code_bits, pieces


def by_processor(case: Case, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """Return the same where the engine has no hand in it."""
    core = rig(case.mode).vm.core
    core.is_strict = False
    with monkeypatch.context() as patch:
        patch.setattr(marks, "look_protected", lambda *_, **__: None)
        return outcome(case)


def by_engine(case: Case) -> tuple[object, ...]:
    rig(case.mode).vm.core.is_strict = True
    return outcome(case)


def cases(mode: str, count: int) -> list[Case]:
    """Return frames by chance: most have something wrong."""
    found, chance = [], random.Random(f"iret {mode}")
    sizes = (2, 4, 8) if mode == "long" else (2, 4)
    for _ in range(count):
        cpl, size = chance.choice((0, 0, 3)), chance.choice(sizes)
        rpl = chance.choice((0, 3, 3, chance.randrange(4)))
        usual = (1, 2) if rpl == 0 else (3, 4)
        pick = chance.random() < 0.5
        cs = usual[0] if pick else chance.randrange(len(ACCESS) + 3)
        ss = usual[1] if chance.random() < 0.5 else chance.randrange(len(ACCESS) + 3)
        ss_rpl = rpl if chance.random() < 0.8 else chance.randrange(4)
        flags = chance.getrandbits(22) & ~(VIF | VIP)
        if mode != "protected" or size == 2 or cpl or chance.random() < 0.7:
            flags &= ~VM  # the processor takes it at CPL 3, too
        own = chance.choice((2, IF, IOPL, IOPL | IF | 0xD5)) | 2
        rip = 0x4000 if size == 2 or flags & VM else TARGET
        case = Case(mode, cpl, size, cs * 8 | rpl, ss * 8 | ss_rpl, flags, own, rip)
        if cs not in {LONG_AND_DEFAULT, LIMITED}:
            found.append(case)
    return found


def corrected(case: Case, its: tuple[object, ...]) -> tuple[object, ...]:
    """Return what the manual says where the processor is known to say otherwise.

    An SS that is not present is #SS; a null one is #GP(0) but in 64-bit code; and
    virtual-8086 mode, too, is entered with RF.
    """
    if its == (NP, case.ss & 0xFFFC):
        return SS_, case.ss & 0xFFFC
    if len(its) > 2 and case.mode == "long" and not case.ss & 0xFFFC and its[4] != 64:
        return GP, 0
    if len(its) > 2 and case.flags & VM:
        rip, rflags, *others = its
        assert isinstance(rflags, int)
        return rip, rflags | case.flags & RF, *others
    return its


@pytest.mark.parametrize("mode", ["protected", "compat", "long"])
def test_it_is_what_the_processor_does(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[tuple[object, ...]] = []
    returned = 0
    for case in cases(mode, 400):
        ours, its = by_engine(case), by_processor(case, monkeypatch)
        returned += len(ours) > 2
        its = corrected(case, its)
        if ours != its:
            wrong.append((case, ours, its))
    assert wrong[:3] == []
    assert returned > 60


def frame(
    mode: str, number: int, *, flags: int = 2, own: int = 2, rip: int = TARGET
) -> Case:
    """A return to the same level by descriptor `number`."""
    size = 8 if mode == "long" else 4
    return Case(mode, 0, size, number * 8, 0x10, flags, own, rip)


@pytest.mark.parametrize(
    ("case", "error"),
    [
        (frame("long", LONG_AND_DEFAULT), LONG_AND_DEFAULT * 8),
        (frame("compat", LONG_AND_DEFAULT), LONG_AND_DEFAULT * 8),
        (frame("protected", LIMITED, rip=0x10_0000), 0),
        (frame("compat", LIMITED, rip=0x10_0000), 0),
        (frame("long", LIMITED, rip=0x10_0000), 0),
        (frame("long", 16, rip=NOT_CANONICAL), 0),
        (Case("long", 0, 8, 20 * 8 | 3, 4 * 8 | 3, 2, 2, NOT_CANONICAL), 0),
        (frame("long", 1, own=NT | 2), 0),
    ],
)
def test_what_the_processor_does_not_look_at(case: Case, error: int) -> None:
    assert by_engine(case) == (GP, error)


@pytest.mark.parametrize("mode", ["protected", "long"])
def test_at_cpl_0_vif_and_vip_are_loaded(mode: str) -> None:
    """SDM: where CPL is 0, and with 32 or 64 bits."""
    case = frame(mode, 16 if mode == "long" else 1, flags=VIF | VIP | 2)
    assert by_engine(case)[1] == VIF | VIP | 2
    short = case._replace(size=2, rip=0x4000)
    assert by_engine(short)[1] == 2
    assert by_engine(case._replace(flags=2, own=VIF | VIP | 2))[1] == 2
    outer = case._replace(cs=3 * 8 | 3, ss=4 * 8 | 3, own=VIF | 2, flags=VIP | 2)
    assert by_engine(outer)[1] == VIP | 2
    user = outer._replace(cpl=3)
    assert by_engine(user)[1] == VIF | 2


def test_virtual_8086_mode_is_for_cpl_0_alone() -> None:
    """Elsewhere VM of the frame is not looked at, and the limit of V86 is 64 KiB."""
    user = Case("protected", 3, 4, 3 * 8 | 3, 4 * 8 | 3, VM | 2, 2)
    assert by_engine(user)[:2] == (TARGET, 2)
    kernel = frame("protected", 1, flags=VM | 2, rip=0x4000)
    assert by_engine(kernel)[:2] == (0x4000, VM | 2)
    assert by_engine(kernel._replace(rip=0x1_0000)) == (GP, 0)


PF = 14
UNMAPPED, BEYOND = 0x40_0000_0000, NOT_CANONICAL


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("code", ["48cf", "cf", "66cf", "48cb"])
@pytest.mark.parametrize(
    ("cpl", "rsp", "fault"),
    [
        (0, UNMAPPED, (PF, 0)),
        (3, UNMAPPED, (PF, 4)),
        (3, GDT, (PF, 5)),  # a page of the supervisor's
        (0, BEYOND, (SS_, 0)),
        (3, BEYOND, (SS_, 0)),
    ],
)
def test_the_stack_is_that_of_its_cpl(
    strict: bool, code: str, cpl: int, rsp: int, fault: tuple[int, int]
) -> None:
    """SDM Vol. 2A "IRET", Vol. 2B "RET": the pops are those of the program itself."""
    case = Case("long", cpl, 8, 8 | cpl, 0x10 | cpl, 2, 2)
    found, regs = ready(case)
    core, memory, pages = found.vm.core, found.vm.memory, 0x9_2000
    core.is_strict = strict
    memory.write(CODE, bytes.fromhex(code))
    regs.gpr[4] = rsp
    if rsp == GDT:  # and the code in the next one, which is the user's
        regs.gpr[4] = 0x20_0000
        entry = memory.read(pages + 8, 1)
        memory.write(pages + 8, bytes([entry[0] & ~4]))
    seen = found.machine.log.next_seq
    run(found.vm, found.vcpu(0), budget=1)
    if rsp == GDT:
        memory.write(pages + 8, entry)
    events = [logged.event for logged in found.machine.log.since(seen)]
    raised = next(e for e in events if isinstance(e, ExceptionRaised))
    assert (raised.vector, raised.error, raised.rip) == (*fault, CODE)


def test_only_a_strict_machine_stops_in_long_mode() -> None:
    """There is no other way to take a time that is an interrupt's."""
    case = frame("long", LONG_AND_DEFAULT)
    assert case.size == 8
    rig("long").vm.core.is_strict = False
    assert outcome(case)[0] == TARGET


@pytest.mark.parametrize("wide", [True, False])
def test_a_single_step_is_over_the_iret(wide: bool) -> None:
    """TF of before makes a trap behind IRET, TF of the frame one instruction later."""
    mode = "long" if wide else "protected"
    for before, after, at in ((TF, 0, TARGET), (0, TF, TARGET + 1)):
        case = frame(mode, 16 if wide else 1, own=before | 2, flags=after | 2)
        found, _ = ready(case)
        found.vm.core.is_strict = True
        found.vm.memory.write(TARGET, b"\x90\x90\x90")
        seen = found.machine.log.next_seq
        run(found.vm, found.vcpu(0), budget=2)
        events = [logged.event for logged in found.machine.log.since(seen)]
        first = next(e for e in events if isinstance(e, ExceptionRaised))
        assert (first.vector, first.rip) == (DB, at)
