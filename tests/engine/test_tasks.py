"""Tasks: an event, a far CALL or JMP that enters another one, and the way back.

Numbers are the manual's: SDM Vol. 3A "Task Switching", "32-Bit Task-State Segment",
"16-Bit Task-State Segment" and the table of what is checked during a task switch. What
can be seen from inside is in `tests/guests/processor-tasks`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.boot import tables
from lapis_engine.cpu.registers import CS, SS, Segment
from lapis_engine.events import DebugHit, ExceptionRaised
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields
from lapis_engine.vmm import exits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.registers import Registers

GDT, IDT = 0x3_0000, 0xA000
OLD, NEW = 0x3_1000, 0x3_2000
HANDLER, STACK = 0x3_3000, 0x3_5000
CODE_32, DATA_32, OLD_TSS, NEW_TSS, LDT, ABSENT, USER = 8, 16, 24, 32, 40, 48, 56
NT, TF, TS_BIT = 0x4000, 0x100, 8
BUSY = 0x200


def descriptor(base: int, limit: int, access: int, flags: int = 0) -> bytes:
    low = limit & 0xFFFF | (base & 0xFFFF) << 16
    high = base >> 16 & 0xFF | access << 8 | (limit >> 16 & 0xF) << 16
    return struct.pack("<II", low, high | flags << 20 | base & 0xFF00_0000)


def rig_with(
    code: str, odd: Mapping[str, int] = {}, *, wide: bool = True, vector: int = 0x40
) -> Rig:
    """A 32-bit machine with a task gate at `vector`; `odd` is of the new task."""
    rig = Rig(wide=False)
    write = rig.vm.memory.write
    kind, limit = (0x89, 0x67) if wide else (0x81, 0x2B)
    kind, limit = odd.get("kind", kind), odd.get("limit", limit)
    write(
        GDT,
        bytes(8)
        + descriptor(0, 0xF_FFFF, 0x9A, 0xC)
        + descriptor(0, 0xF_FFFF, 0x92, 0xC)
        + descriptor(OLD, 0x67, 0x8B)
        + descriptor(NEW, limit, kind)
        + descriptor(0x3_4000, 7, 0x82)
        + descriptor(0, 0xF_FFFF, 0x12, 0xC)
        + descriptor(0, 0xF_FFFF, 0xF2, 0xC),
    )
    at = IDT + 8 * vector
    gate = odd.get("gate", 0x8500)
    write(at, struct.pack("<HHI", 0, odd.get("selector", NEW_TSS), gate))
    segments = {
        "es": DATA_32, "cs": CODE_32, "ss": DATA_32, "ds": DATA_32, "fs": 0, "gs": 0,
    } | dict(odd)  # fmt: skip
    chosen = [segments[name] for name in ("es", "cs", "ss", "ds", "fs", "gs")]
    words = [HANDLER, odd.get("flags", 2), *(0x100 + n for n in range(8)), *chosen]
    words[6] = odd.get("esp", STACK)
    if wide:
        write(NEW + 0x20, struct.pack("<16I", *words))
        write(NEW + 0x60, struct.pack("<II", odd.get("ldt", 0), odd.get("trap", 0)))
    else:
        write(NEW + 0x0E, struct.pack("<14H", *(each & 0xFFFF for each in words[:14])))
        write(NEW + 0x2A, struct.pack("<H", odd.get("ldt", 0)))
    write(HANDLER, b"\xf4\xcf\xeb\xfc")  # hlt; iret; jmp to the first
    write(HANDLER & 0xFFFF, b"\xf4\xcf\xeb\xfc")
    write(CODE, bytes.fromhex(code).ljust(0x20, b"\x90"))
    regs = rig.vcpu(0).regs
    regs.gdtr = Segment(0, GDT, 63, 0)
    regs.tr = Segment(OLD_TSS, OLD, 0x67, 0x8B00)
    regs.rip = CODE
    return rig


def u32(rig: Rig, at: int) -> int:
    return int.from_bytes(rig.vm.memory.peek(at, 4), "little")


def faults(rig: Rig) -> list[tuple[int, int | None]]:
    return [
        (e.vector, e.error) for e in rig.events(0) if isinstance(e, ExceptionRaised)
    ]


def is_in_new_task(regs: Registers) -> bool:
    return regs.tr == Segment(NEW_TSS, NEW, regs.tr.limit, regs.tr.flags)


def test_an_interrupt_enters_a_task() -> None:
    rig = rig_with("cd40 90", {"ldt": LDT})
    regs = rig.vcpu(0).regs
    regs.gpr[0], regs.dr[7] = 0x1234_5678, 0x0000_0755  # local, not exact any more
    regs.rflags |= 0x40
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    assert is_in_new_task(regs)
    assert regs.tr.flags & 0xF00 == 0xB00
    assert (regs.rip, regs.gpr[4], regs.gpr[0]) == (HANDLER + 1, STACK, 0x100)
    assert regs.rflags & NT
    assert regs.cr0 & TS_BIT
    assert regs.ldtr[:3] == (LDT, 0x3_4000, 7)
    assert regs.dr[7] == 0x600
    assert u32(rig, NEW) & 0xFFFF == OLD_TSS
    assert u32(rig, GDT + NEW_TSS + 4) & BUSY
    assert u32(rig, GDT + OLD_TSS + 4) & BUSY
    assert (u32(rig, OLD + 0x20), u32(rig, OLD + 0x28)) == (CODE + 2, 0x1234_5678)
    assert u32(rig, OLD + 0x24) & 0x4040 == 0x40
    assert [u32(rig, OLD + at) for at in (0x48, 0x4C, 0x50)] == [16, 8, 16]


@pytest.mark.parametrize("wide", [True, False], ids=["32", "16"])
def test_iret_comes_back(wide: bool) -> None:
    """Both TSSs are read and written, and each in its form."""
    rig = rig_with("cd40 40 40 f4", wide=wide)
    if not wide:
        rig.vm.memory.write(NEW + 0x0E, struct.pack("<H", 0x7000))
        rig.vm.memory.write(0x7000, b"\xcf\xeb\xfd")
    else:
        rig.vm.memory.write(HANDLER, b"\xcf\xeb\xfd")
    regs = rig.vcpu(0).regs
    regs.gpr[0], stack = 7, regs.gpr[4]
    assert isinstance(rig.enter(0, 20), exits.Hlt)
    assert (regs.rip, regs.gpr[0], regs.gpr[4]) == (CODE + 5, 9, stack)
    assert regs.tr.selector == OLD_TSS
    assert not regs.rflags & NT
    assert not u32(rig, GDT + NEW_TSS + 4) & BUSY


def test_an_error_code_goes_onto_the_new_stack() -> None:
    """#GP by a selector beyond the GDT; RF is in the image of a fault."""
    rig = rig_with("66b8f800 8ed8", vector=13)
    regs = rig.vcpu(0).regs
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    assert (regs.gpr[4], u32(rig, STACK - 4)) == (STACK - 4, 0xF8)
    assert u32(rig, OLD + 0x20) == CODE + 4
    assert u32(rig, OLD + 0x24) & 0x1_0000


def test_a_double_fault_has_its_task() -> None:
    """What task gates are for: the stack of the old task is gone."""
    rig = rig_with("0f0b", vector=8)
    regs = rig.vcpu(0).regs
    regs.set_segment(SS, Segment(DATA_32, 0, 0x10, 0x40_9300))
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    assert [vector for vector, _ in faults(rig)] == [6, 12, 8]
    assert is_in_new_task(regs)
    assert u32(rig, STACK - 4) == 0


@pytest.mark.parametrize(
    ("odd", "vector", "error"),
    [
        ({"selector": NEW_TSS | 4}, 13, NEW_TSS | 4),  # local
        ({"selector": 0}, 13, 0),
        ({"selector": 0x80}, 13, 0x80),  # beyond the limit
        ({"selector": DATA_32}, 13, DATA_32),
        ({"kind": 0x8B}, 13, NEW_TSS),  # busy
        ({"kind": 0x09}, 11, NEW_TSS),  # not present
        ({"limit": 0x66}, 10, NEW_TSS),
        ({"gate": 0x0500}, 11, 0x40 << 3 | 2),  # the gate is not present
        # In the new task:
        ({"ldt": DATA_32}, 10, DATA_32),
        ({"cs": DATA_32}, 10, DATA_32),
        ({"cs": 0}, 10, 0),
        ({"ss": CODE_32}, 10, CODE_32),
        ({"ss": DATA_32 | 3}, 10, DATA_32),
        ({"ss": ABSENT}, 12, ABSENT),
        ({"ds": ABSENT}, 11, ABSENT),
        ({"es": OLD_TSS}, 10, OLD_TSS),
        ({"gs": 0x80}, 10, 0x80),
    ],
)
def test_what_is_wrong_is_a_fault(odd: dict[str, int], vector: int, error: int) -> None:
    rig = rig_with("cd40", odd)
    regs = rig.vcpu(0).regs
    rig.enter(0, 9)
    tried = [each for each in faults(rig) if each[0] != 0x40]
    assert tried[0] == (vector, error)
    entered = odd.keys() & {"ldt", "cs", "ss", "ds", "es", "gs"}
    assert is_in_new_task(regs) == bool(entered)
    assert bool(u32(rig, GDT + NEW_TSS + 4) & BUSY) == bool(
        entered or odd.get("kind") == 0x8B
    )


def test_the_t_bit_is_a_trap_before_the_first_instruction() -> None:
    rig = rig_with("cd40", {"trap": 1})
    regs = rig.vcpu(0).regs
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    assert regs.dr[6] == 0xFFFF_8FF0
    assert faults(rig)[-1] == (1, None)
    assert u32(rig, regs.gpr[4]) == HANDLER
    assert not [e for e in rig.events(0) if isinstance(e, DebugHit)]


def test_in_long_mode_a_task_gate_is_no_gate() -> None:
    rig = Rig()
    regs = rig.vcpu(0).regs
    rig.vm.memory.write(CODE, bytes.fromhex("cd40"))
    rig.vm.memory.write(IDT + 16 * 0x40, struct.pack("<HHI", 0, 24, 0x8500))
    regs.rip = CODE
    rig.enter(0, 9)
    assert (13, 0x40 << 3 | 2) in faults(rig)


@pytest.mark.parametrize("code", ["9a000000002000", "ea000000002000"])
def test_far_call_nests_and_jmp_does_not(code: str) -> None:
    """What is armed in DR7 for the old task alone is gone, too."""
    rig = rig_with(code)
    regs = rig.vcpu(0).regs
    regs.dr[0], regs.dr[7] = HANDLER, 0x401
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    assert is_in_new_task(regs)
    assert regs.rip == HANDLER + 1
    nests = code.startswith("9a")
    assert bool(regs.rflags & NT) == nests
    assert bool(u32(rig, GDT + OLD_TSS + 4) & BUSY) == nests
    assert u32(rig, OLD + 0x20) == CODE + 7
    assert not regs.is_armed


def test_one_may_not_jump_to_a_task_of_the_kernels() -> None:
    """From CPL 3: the DPL of a TSS is 0, whatever segments it has."""
    rig = rig_with("ea000000002000")
    regs = rig.vcpu(0).regs
    regs.set_segment(CS, Segment(CODE_32 | 3, 0, 0xFFFF_FFFF, 0xC0_FB00))
    regs.set_segment(SS, Segment(USER | 3, 0, 0xFFFF_FFFF, 0xC0_F300))
    rig.enter(0, 1)
    raised = next(e for e in rig.events(0) if isinstance(e, ExceptionRaised))
    assert (raised.vector, raised.error) == (13, NEW_TSS)
    assert raised.rule == "task-privilege"
    assert not u32(rig, GDT + NEW_TSS + 4) & BUSY


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6])
def test_how_a_run_is_cut_does_not_show(length: int) -> None:
    """There by CALL and back by IRET, with the trap of T and single steps between."""
    code, odd = "9c 810c2400010000 9d 9a000000002000 90 f4", {"trap": 1, "flags": 2}
    rig = rig_with(code, odd)
    rig.vm.memory.write(HANDLER, b"\xcf")
    rig.enter(0, 30)
    whole, told = state_fields(rig.machine), faults(rig)
    rig = rig_with(code, odd)
    rig.vm.memory.write(HANDLER, b"\xcf")
    for start in range(0, 30, length):
        rig.enter(0, min(length, 30 - start))
    assert faults(rig) == told
    assert (1, None) in told
    assert state_fields(rig.machine) == whole


def test_it_is_undone_by_a_checkpoint() -> None:
    rig = rig_with("90 cd40 90")
    start = capture.take(rig.machine)
    fields = state_fields(rig.machine)
    rig.enter(0, 9)
    after = state_fields(rig.machine)
    capture.put(rig.machine, start)
    assert state_fields(rig.machine) == fields
    for _ in range(9):
        rig.enter(0, 1)
    assert state_fields(rig.machine) == after


assert tables.CODE_32 == CODE_32
