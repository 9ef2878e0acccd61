"""Event delivery: stack images and error codes worked out from the manual."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import NamedTuple

import pytest
from unicorn import UC_ARCH_X86, UC_MODE_64, Uc

from lapis_engine.cpu.context import Context
from lapis_engine.cpu.delivery import (
    Pending,
    TaskGate,
    combine,
    deliver,
    deliver_all,
)
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.paging import Linear
from lapis_engine.cpu.registers import CS, DS, ES, FS, GS, RSP, SS, Registers, Segment
from lapis_engine.memory.physical import PhysicalMemory

UC = Uc(UC_ARCH_X86, UC_MODE_64)
GDT, IDT, TSS = 0x1000, 0x2000, 0x4000
FLAT32, FLAT64 = 0xC09B00, 0xA09B00
DATA = 0xC09300
RING3 = 3 << 13
GATE16, TRAP16, GATE, TRAP, TASK = 0x86, 0x87, 0x8E, 0x8F, 0x85
"""Byte 5 of a gate, present, DPL 0."""
CODE16 = 0x48
IF, TF, NT, RF, VM, AC = 1 << 9, 1 << 8, 1 << 14, 1 << 16, 1 << 17, 1 << 18

# Selectors: 08 code32, 10 data, 1B code32 ring 3, 23 data ring 3, 28 code64,
# 30 conforming code32, 38 absent code32, 40 absent data, 48 code16, 50 data16,
# 58 code64 ring 3, 60 read-only data.
DESCRIPTORS = (
    0, 0x00CF9A00_0000FFFF, 0x00CF9200_0000FFFF, 0x00CFFA00_0000FFFF,
    0x00CFF200_0000FFFF, 0x00AF9A00_0000FFFF, 0x00CF9E00_0000FFFF,
    0x00CF1A00_0000FFFF, 0x00CF1200_0000FFFF, 0x00009A00_0000FFFF,
    0x00009200_0000FFFF, 0x00AFFA00_0000FFFF, 0x00CF9000_0000FFFF,
)  # fmt: skip


class Machine(NamedTuple):
    regs: Registers
    memory: PhysicalMemory
    linear: Linear

    def deliver(self, event: Pending) -> None:
        deliver(self.regs, self.linear, event)

    def stack(self, form: str) -> tuple[int, ...]:
        """Unpack what lies at SS:RSP."""
        ss, rsp = self.regs.segment(SS), self.regs.gpr[RSP]
        if not ss.flags & 1 << 22 and self.regs.mode != "long":
            rsp &= 0xFFFF
        return struct.unpack(
            "<" + form, self.memory.read(ss.base + rsp, struct.calcsize("<" + form))
        )

    def segments(self) -> list[int]:
        return [self.regs.segment(n).selector for n in (CS, SS)]

    def gate32(self, vector: int, kind: int, selector: int, offset: int) -> None:
        data = struct.pack("<HHBBH", offset & 0xFFFF, selector, 0, kind, offset >> 16)
        self.memory.write(IDT + vector * 8, data)

    def gate64(
        self, vector: int, kind: int, selector: int, offset: int, ist: int = 0
    ) -> None:
        low, mid, high = offset & 0xFFFF, (offset >> 16) & 0xFFFF, offset >> 32
        data = struct.pack("<HHBBHII", low, selector, ist, kind, mid, high, 0)
        self.memory.write(IDT + vector * 16, data)

    def fault(self, event: Pending) -> tuple[int, int | None]:
        """Deliver; return vector and error code of the fault, registers untouched."""
        before = self.regs.context.state_bytes()
        with pytest.raises(GuestFault) as caught:
            self.deliver(event)
        assert self.regs.context.state_bytes() == before
        return caught.value.vector, caught.value.error


def external(vector: int) -> Pending:
    return Pending(vector, "external", None)


def software(vector: int, after: int = 0x1002) -> Pending:
    return Pending(vector, "software", None, return_rip=after)


def exception(vector: int, error: int | None = None) -> Pending:
    return Pending(vector, "exception", error)


def machine() -> Machine:
    regs = Registers(Context(UC))
    memory = PhysicalMemory()
    memory.add(0, 0x20_0000, "ram")
    regs.efer = regs.cr4 = regs.cr3 = 0
    return Machine(regs, memory, Linear(regs, memory))


def real() -> Machine:
    m = machine()
    m.regs.cr0 = 0x10
    for index in range(6):
        m.regs.set_segment(index, Segment(0x300, 0x3000, 0xFFFF, 0x9300))
    m.regs.set_segment(CS, Segment(0x100, 0x1000, 0xFFFF, 0x9B00))
    m.regs.idtr = Segment(0, 0, 0x3FF, 0)
    m.regs.rip, m.regs.gpr[RSP] = 0x234, 0x0100
    m.regs.rflags = 2 | IF | TF | AC | 1
    m.memory.write(0x21 * 4, b"\x78\x56\x34\x12")
    return m


def protected(ring: int = 0) -> Machine:
    m = machine()
    regs = m.regs
    regs.cr0 = 0x11
    m.memory.write(GDT, struct.pack(f"<{len(DESCRIPTORS)}Q", *DESCRIPTORS))
    regs.gdtr = Segment(0, GDT, len(DESCRIPTORS) * 8 - 1, 0)
    regs.idtr = Segment(0, IDT, 0x7FF, 0)
    regs.ldtr = Segment(0, 0, 0, 0)
    regs.tr = Segment(0x68, TSS, 0x67, 0x8B00)
    # SS0:ESP0 = 10:9000
    m.memory.write(TSS + 4, struct.pack("<II", 0x9000, 0x10))
    code, data, dpl = (0x1B, 0x23, RING3) if ring else (0x08, 0x10, 0)
    for index in range(6):
        regs.set_segment(index, Segment(data, 0, 2**32 - 1, DATA | dpl))
    regs.set_segment(CS, Segment(code, 0, 2**32 - 1, FLAT32 | dpl))
    regs.rip, regs.gpr[RSP] = 0x1000, 0x8000
    regs.rflags = 0x202
    m.gate32(0x30, GATE, 8, 0x12_3456)
    m.gate32(13, GATE, 8, 0x12_1313)
    return m


def long(ring: int = 0, *, compat: bool = False) -> Machine:
    m = protected(ring)
    regs = m.regs
    for at, value in ((0x10_0000, 0x10_1007), (0x10_1000, 0x10_2007)):
        m.memory.write(at, struct.pack("<Q", value))
    m.memory.write(0x10_2000, struct.pack("<Q", 0x87))
    regs.cr4, regs.cr3, regs.efer, regs.cr0 = 0x20, 0x10_0000, 0x500, 0x8000_0011
    if not compat:
        code, dpl = (0x5B, RING3) if ring else (0x28, 0)
        regs.set_segment(CS, Segment(code, 0, 2**32 - 1, FLAT64 | dpl))
    regs.idtr = Segment(0, IDT, 0xFFF, 0)
    m.memory.write(TSS + 4, struct.pack("<Q", 0x9008))  # RSP0
    m.memory.write(TSS + 36, struct.pack("<Q", 0xA00F))  # IST1
    m.gate64(0x30, GATE, 0x28, 0x77_1234_5678)
    return m


# Real mode.


def test_real_mode_pushes_three_words_and_keeps_the_limit_of_cs() -> None:
    m = real()
    m.deliver(software(0x21, after=0x236))
    assert m.stack("3H") == (0x236, 0x100, 0x303)
    assert m.regs.gpr[RSP] == 0xFA
    assert m.regs.segment(CS) == Segment(0x1234, 0x12340, 0xFFFF, 0x9B00)
    assert m.regs.rip == 0x5678
    assert m.regs.rflags == 3


def test_real_mode_pushes_no_error_code_and_wraps_the_stack() -> None:
    m = real()
    m.regs.gpr[RSP] = 2
    m.deliver(exception(0x21, error=0x55))
    assert m.regs.gpr[RSP] == 0xFFFC
    assert m.memory.read(0x3000, 2) == b"\x03\x03"
    assert m.memory.read(0x12FFC, 4) == b"\x34\x02\x00\x01"


def test_real_mode_beyond_the_idt_limit_ends_in_a_triple_fault() -> None:
    m = real()
    m.regs.idtr = Segment(0, 0, 0x22, 0)
    tried, _, triple = deliver_all(m.regs, m.linear, external(0x21))
    assert [(e.vector, e.kind) for e in tried] == [
        (0x21, "external"), (13, "exception"), (8, "exception"),
    ]  # fmt: skip
    assert triple


def test_real_mode_stack_that_ends_in_the_middle_of_a_word_is_ss() -> None:
    m = real()
    m.regs.gpr[RSP] = 1
    assert m.fault(external(0x21))[0] == 12


# Protected mode.


def test_same_privilege_without_an_error_code() -> None:
    m = protected()
    m.regs.rflags = 0x202 | TF | NT | AC
    m.regs.shadow = True
    m.deliver(external(0x30))
    assert m.stack("3I") == (0x1000, 8, 0x202 | TF | NT | AC)
    assert m.regs.gpr[RSP] == 0x7FF4
    assert m.regs.rip == 0x12_3456
    assert m.regs.rflags == 2 | AC
    assert m.segments() == [8, 0x10]
    assert not m.regs.shadow
    assert m.memory.read(GDT + 8 + 5, 1) == b"\x9b", "A is set in memory"


def test_same_privilege_with_an_error_code_and_rf_for_a_fault() -> None:
    m = protected()
    m.deliver(exception(13, 0x18))
    assert m.stack("4I") == (0x18, 0x1000, 8, 0x10202)


@pytest.mark.parametrize(
    ("event", "image"),
    [
        (exception(0), 0x10202),
        (exception(1), 0x202),  # may be a trap
        (exception(3), 0x202),
        (exception(18), 0x202),  # an abort
        (software(13), 0x202),
        (external(13), 0x202),
    ],
)
def test_rf_is_pushed_as_1_for_faults_only(event: Pending, image: int) -> None:
    m = protected()
    m.gate32(event.vector, GATE | 0x60, 8, 0x5000)
    m.deliver(event)
    assert m.stack("3I")[2] == image


def test_a_trap_gate_leaves_if_alone() -> None:
    m = protected()
    m.gate32(0x30, TRAP, 8, 0x5000)
    m.deliver(external(0x30))
    assert m.regs.rflags == 0x202


def test_cr2_is_loaded_by_a_page_fault_only() -> None:
    m = protected()
    m.gate32(14, GATE, 8, 0x5000)
    m.regs.cr2 = 7
    m.deliver(Pending(14, "external", None, cr2=0xBAD))
    assert m.regs.cr2 == 7
    m.deliver(Pending(14, "exception", 2, cr2=0xBAD))
    assert m.regs.cr2 == 0xBAD


def test_ring_3_to_ring_0_switches_to_the_stack_of_a_32_bit_tss() -> None:
    m = protected(ring=3)
    m.deliver(exception(13, 0x18))
    assert m.stack("6I") == (0x18, 0x1000, 0x1B, 0x10202, 0x8000, 0x23)
    assert m.regs.gpr[RSP] == 0x8FE8
    assert m.segments() == [8, 0x10]
    assert m.regs.cpl == 0


def test_ring_3_to_ring_0_switches_to_the_stack_of_a_16_bit_tss() -> None:
    m = protected(ring=3)
    m.regs.tr = Segment(0x68, TSS, 0x2B, 0x8300)
    m.memory.write(TSS + 2, struct.pack("<HH", 0x9100, 0x10))
    m.deliver(external(0x30))
    assert m.regs.gpr[RSP] == 0x90EC
    assert m.stack("5I") == (0x1000, 0x1B, 0x202, 0x8000, 0x23)


def test_a_conforming_handler_runs_at_the_callers_privilege() -> None:
    m = protected(ring=3)
    m.gate32(0x30, GATE, 0x30, 0x5000)
    m.deliver(external(0x30))
    assert m.segments() == [0x33, 0x23]
    assert m.regs.gpr[RSP] == 0x7FF4
    assert m.regs.cpl == 3


def test_a_16_bit_gate_pushes_words_and_jumps_to_a_word() -> None:
    m = protected()
    m.gate32(0x30, GATE16, CODE16, 0xDEAD_1234)
    m.deliver(exception(0x30, 0x18))
    assert m.stack("4H") == (0x18, 0x1000, 8, 0x202)
    assert m.regs.gpr[RSP] == 0x7FF8
    assert m.regs.rip == 0x1234
    assert m.regs.code_bits == 16


def test_a_16_bit_stack_changes_only_sp() -> None:
    m = protected()
    m.regs.set_segment(SS, Segment(0x50, 0, 0xFFFF, 0x9300))
    m.regs.gpr[RSP] = 0x1234_0004
    m.deliver(external(0x30))
    assert m.regs.gpr[RSP] == 0x1234_FFF8
    assert m.memory.read(0, 4) == b"\x02\x02\0\0"
    assert m.memory.read(0xFFF8, 8) == struct.pack("<II", 0x1000, 8)


def v8086() -> Machine:
    m = protected()
    for index, selector in ((ES, 1), (DS, 2), (FS, 3), (GS, 4), (CS, 5), (SS, 6)):
        m.regs.set_segment(index, Segment(selector, selector << 4, 0xFFFF, 0xF300))
    m.regs.rflags = 0x3202 | VM
    return m


def test_virtual_8086_mode_leaves_through_nine_dwords() -> None:
    m = v8086()
    m.deliver(external(0x30))
    assert m.stack("9I") == (0x1000, 5, 0x23202, 0x8000, 6, 1, 2, 3, 4)
    assert m.regs.gpr[RSP] == 0x9000 - 36
    assert m.segments() == [8, 0x10]
    assert [m.regs.segment(n) for n in (ES, DS, FS, GS)] == [(0, 0, 0, 0)] * 4
    assert m.regs.rflags == 0x3002
    assert m.regs.cpl == 0


def test_virtual_8086_mode_needs_a_nonconforming_handler_at_ring_0() -> None:
    m = v8086()
    m.gate32(0x30, GATE, 0x30, 0x5000)
    assert m.fault(external(0x30)) == (13, 0x31)
    m.gate32(0x30, GATE, 0x1B, 0x5000)
    assert m.fault(external(0x30)) == (13, 0x19)


def test_a_software_interrupt_needs_the_gates_dpl() -> None:
    m = protected(ring=3)
    assert m.fault(software(0x30)) == (13, 0x182)
    m.gate32(0x30, GATE | 0x60, 8, 0x5000)
    m.deliver(software(0x30))
    assert m.stack("I") == (0x1002,)


@pytest.mark.parametrize(("kind", "bit"), [("external", 1), ("software", 0)])
def test_ext_tells_whether_the_event_was_external(kind: str, bit: int) -> None:
    def event(vector: int) -> Pending:
        return software(vector) if kind == "software" else external(vector)

    m = protected()
    m.gate32(0x30, GATE & 0x7F, 8, 0x5000)
    assert m.fault(event(0x30)) == (11, 0x182 | bit)
    m.gate32(0x30, 0x8C, 8, 0x5000)
    assert m.fault(event(0x30)) == (13, 0x182 | bit)
    m.gate32(0x30, GATE, 0, 0x5000)
    assert m.fault(event(0x30)) == (13, bit)
    m.regs.idtr = Segment(0, IDT, 0x186, 0)
    assert m.fault(event(0x30)) == (13, 0x182 | bit)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (0x03, (13, 1)),  # null
        (0x68, (13, 0x69)),  # beyond the GDT
        (0x0C, (13, 0x0D)),  # no LDT
        (0x10, (13, 0x11)),  # data
        (0x1B, (13, 0x19)),  # DPL 3 from ring 0
        (0x38, (11, 0x39)),  # absent
    ],
)
def test_the_handlers_code_segment_is_checked(
    selector: int, expected: tuple[int, int]
) -> None:
    m = protected()
    m.gate32(0x30, GATE, selector, 0x5000)
    assert m.fault(external(0x30)) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (0x00, (10, 1)),  # null
        (0x68, (10, 0x69)),  # beyond the GDT
        (0x13, (10, 0x11)),  # RPL
        (0x20, (10, 0x21)),  # DPL
        (0x08, (10, 0x09)),  # code
        (0x60, (10, 0x61)),  # read-only
        (0x40, (12, 0x41)),  # absent
    ],
)
def test_the_inner_stack_segment_is_checked(
    selector: int, expected: tuple[int, int]
) -> None:
    m = protected(ring=3)
    m.memory.write(TSS + 8, struct.pack("<I", selector))
    assert m.fault(external(0x30)) == expected


def test_a_tss_too_short_for_the_stack_is_ts_with_its_selector() -> None:
    m = protected(ring=3)
    m.regs.tr = Segment(0x68, TSS, 8, 0x8B00)
    assert m.fault(external(0x30)) == (10, 0x69)
    m.regs.tr = Segment(0x68, TSS, 9, 0x8B00)
    m.deliver(external(0x30))


def test_a_stack_too_small_is_ss_with_the_selector_of_a_new_one_only() -> None:
    m = protected(ring=3)
    m.memory.write(TSS + 4, struct.pack("<II", 0x10, 0x50))
    m.deliver(external(0x30))  # 16-bit stacks wrap between words
    m = protected(ring=3)
    m.memory.write(TSS + 4, struct.pack("<II", 0x13, 0x50))
    assert m.fault(external(0x30)) == (12, 0x51)
    m = protected()
    m.regs.set_segment(SS, Segment(0x10, 0, 0x7FFA, DATA & ~0x80_0000))
    assert m.fault(external(0x30)) == (12, 1)


def test_an_expand_down_stack_is_valid_above_its_limit() -> None:
    m = protected()
    m.regs.set_segment(SS, Segment(0x10, 0, 0x7FF3, DATA | 0x400))
    m.deliver(external(0x30))
    m = protected()
    m.regs.set_segment(SS, Segment(0x10, 0, 0x7FF4, DATA | 0x400))
    assert m.fault(external(0x30)) == (12, 1)


def test_a_handler_beyond_its_code_segment_is_gp_with_ext() -> None:
    m = protected()
    m.gate32(0x30, GATE, CODE16, 0x1_0000)
    assert m.fault(external(0x30)) == (13, 1)


def test_a_task_gate_is_handed_to_the_caller() -> None:
    m = protected()
    m.gate32(0x30, TASK, 0x68, 0)
    with pytest.raises(TaskGate) as caught:
        m.deliver(external(0x30))
    assert caught.value.selector == 0x68


def test_a_hole_reads_as_all_ones_and_swallows_pushes() -> None:
    m = protected()
    m.regs.gpr[RSP] = 0xFEE0_0004
    m.deliver(external(0x30))
    assert m.regs.gpr[RSP] == 0xFEDF_FFF8
    m.regs.idtr = Segment(0, 0xFEE0_0000, 0x7FF, 0)
    assert m.fault(external(0x30)) == (13, 0x183), "type 1F is no gate"


# Long mode.


def test_long_mode_aligns_the_stack_and_always_pushes_five() -> None:
    m = long()
    m.regs.gpr[RSP] = 0x800C
    m.deliver(external(0x30))
    assert m.stack("5Q") == (0x1000, 0x28, 0x202, 0x800C, 0x10)
    assert m.regs.gpr[RSP] == 0x7FD8
    assert m.regs.rip == 0x77_1234_5678
    assert m.segments() == [0x28, 0x10]
    assert m.regs.rflags == 2


def test_long_mode_ring_3_takes_rsp0_and_a_null_ss() -> None:
    m = long(ring=3)
    m.deliver(exception(0x30, 0x18))
    assert m.stack("6Q") == (0x18, 0x1000, 0x5B, 0x202, 0x8000, 0x23)
    assert m.regs.gpr[RSP] == 0x9000 - 48
    assert m.segments() == [0x28, 0]
    assert m.regs.cpl == 0


def test_an_ist_switches_stacks_and_keeps_ss_at_the_same_privilege() -> None:
    m = long()
    m.gate64(0x30, GATE, 0x28, 0x5000, ist=1)
    m.deliver(external(0x30))
    assert m.regs.gpr[RSP] == 0xA000 - 40
    assert m.segments() == [0x28, 0x10]
    assert m.stack("5Q") == (0x1000, 0x28, 0x202, 0x8000, 0x10)


def test_compatibility_mode_is_left_for_64_bit_mode() -> None:
    m = long(ring=3, compat=True)
    assert m.regs.mode == "compat"
    m.deliver(external(0x30))
    assert m.regs.mode == "long"
    assert m.stack("5Q") == (0x1000, 0x1B, 0x202, 0x8000, 0x23)


@pytest.mark.parametrize("selector", [0x08, 0x48])
def test_a_handler_in_long_mode_is_64_bit_code(selector: int) -> None:
    m = long()
    m.gate64(0x30, GATE, selector, 0x5000)
    assert m.fault(external(0x30)) == (13, selector | 1)


@pytest.mark.parametrize("kind", [GATE16, TRAP16, TASK, 0x9E])
def test_only_64_bit_gates_count_in_long_mode(kind: int) -> None:
    m = long()
    m.gate64(0x30, kind, 0x28, 0x5000)
    assert m.fault(external(0x30)) == (13, 0x183)


def test_the_limit_of_the_idt_counts_16_bytes_a_gate() -> None:
    m = long()
    m.regs.idtr = Segment(0, IDT, 0x30E, 0)
    assert m.fault(external(0x30)) == (13, 0x183)
    m.regs.idtr = Segment(0, IDT, 0x30F, 0)
    m.deliver(external(0x30))


def test_a_tss_too_short_for_the_ist_is_ts() -> None:
    m = long()
    m.gate64(0x30, GATE, 0x28, 0x5000, ist=7)
    m.regs.tr = Segment(0x68, TSS, 0x5A, 0x8B00)
    assert m.fault(external(0x30)) == (10, 0x69)
    m.regs.tr = Segment(0x68, TSS, 0x5B, 0x8B00)
    m.memory.write(TSS + 84, struct.pack("<Q", 0xA000))
    m.deliver(external(0x30))


def test_addresses_that_are_not_canonical_are_ss_and_gp() -> None:
    m = long()
    m.regs.gpr[RSP] = 0x8000_0000_1000
    assert m.fault(external(0x30)) == (12, 1)
    m.regs.gpr[RSP] = 0x8000
    m.gate64(0x30, GATE, 0x28, 0x8000_0000_0000)
    assert m.fault(external(0x30)) == (13, 1)


def test_a_push_that_page_faults_changes_no_register() -> None:
    m = long()
    m.regs.gpr[RSP] = 0x40_0000
    assert m.fault(external(0x30)) == (14, 2)


def test_a_handler_at_ring_3_pushes_as_a_user() -> None:
    m = long(ring=3)
    m.memory.write(0x10_2000, struct.pack("<Q", 0x83))
    m.gate64(0x30, GATE, 0x58, 0x5000)
    assert m.fault(external(0x30)) == (14, 7)


# Faults within faults.


@pytest.mark.parametrize("first", [*range(22), None])
@pytest.mark.parametrize("second", [10, 11, 12, 13, 14, 17])
def test_which_pairs_make_a_double_fault(first: int | None, second: int) -> None:
    event = external(0x30) if first is None else exception(first, 0)
    found = combine(event, GuestFault(second, 9, 0xBAD))
    if first == 8 and second != 17:
        assert found is None
    elif (first in {0, 10, 11, 12, 13} and second in {10, 11, 12, 13}) or (
        first == 14 and second != 17
    ):
        pair = event.vector, second
        assert found == Pending(8, "exception", 0, rule="double", values=pair)
    else:
        assert found == Pending(second, "exception", 9, 0xBAD)


def ruleless(events: tuple[Pending, ...]) -> tuple[Pending, ...]:
    return tuple(replace(event, rule=None, values=()) for event in events)


def test_int_13_is_no_contributory_exception() -> None:
    assert combine(software(13), GuestFault(13, 0x6A)) == exception(13, 0x6A)


def test_contributory_faults_escalate_to_df_and_then_to_a_triple_fault() -> None:
    m = protected()
    for vector in (13, 11):
        m.gate32(vector, GATE & 0x7F, 8, 0x5000)
    m.gate32(8, GATE, 8, 0x8888)
    tried, _, triple = deliver_all(m.regs, m.linear, exception(13, 0x18))
    assert ruleless(tried) == (exception(13, 0x18), exception(8, 0))
    assert not triple
    assert m.stack("4I") == (0, 0x1000, 8, 0x202)
    m = protected()
    m.regs.idtr = Segment(0, IDT, 7, 0)
    tried, _, triple = deliver_all(m.regs, m.linear, external(0x30))
    assert ruleless(tried) == (external(0x30), exception(13, 0x183), exception(8, 0))
    assert triple
    assert m.regs.rip == 0x1000


def test_cr2_keeps_the_address_of_the_last_page_fault_before_df() -> None:
    m = long()
    m.regs.gpr[RSP] = 0x40_0000
    m.gate64(14, GATE, 0x28, 0x5000)
    m.gate64(8, GATE, 0x28, 0x8888, ist=1)
    event = Pending(14, "exception", 0, cr2=0xBAD)
    tried, _, triple = deliver_all(m.regs, m.linear, event)
    assert (ruleless(tried), triple) == ((event, exception(8, 0)), False)
    assert m.regs.cr2 == 0x3F_FFF8
    assert m.regs.rip == 0x8888


def test_a_push_across_the_end_of_memory_keeps_the_half_that_has_memory() -> None:
    m = protected()
    m.regs.gpr[RSP] = 0x20_0006
    m.deliver(external(0x30))
    assert m.memory.read(0x1F_FFFA, 6) == struct.pack("<IH", 0x1000, 8)[:6]
    m.regs.idtr = Segment(0, 0x20_0000 - 0x182, 0x7FF, 0)  # the gate: 2 bytes, hole
    assert m.fault(external(0x30)) == (13, 0x183)


def test_a_16_bit_tss_too_short_for_the_stack_is_ts() -> None:
    m = protected(ring=3)
    m.regs.tr = Segment(0x68, TSS, 4, 0x8300)
    assert m.fault(external(0x30)) == (10, 0x69)
