"""Registers and MSRs that the user writes: by the rules, or past them with raw."""

from __future__ import annotations

import pytest
from rigs import machines

from lapis_engine.cpu.registers import RAX, RCX
from lapis_engine.errors import EngineError
from lapis_engine.events import ModeChanged
from lapis_engine.replay import capture

INC_LOOP = bytes.fromhex("40 ebfd")
"""inc ax; jmp to it, in real mode."""
READ_FAR = bytes.fromhex("a1 0000 40 ebfa")
"""mov ax, [0]; inc ax; jmp to it."""


def test_the_guest_goes_on_with_what_was_written() -> None:
    m = machines.machine(INC_LOOP)
    m.run(400)
    m.write_register(0, "rax", 1000)
    m.run(20)
    assert m.vcpu(0).regs.gpr[RAX] == 1010
    m.write_register(0, "rip", 0)
    m.step(0, 2)
    assert (m.vcpu(0).regs.gpr[RAX], m.vcpu(0).regs.rip) == (1011, 0)


def test_a_segment_that_is_loaded_is_what_is_read_through() -> None:
    """SDM Vol. 3A "Segment Registers" of real mode: the base is the selector by 16."""
    m = machines.machine(READ_FAR)
    m.write_memory(0, 0x2_0000, "3412", physical=True)
    m.write_register(0, "ds", 0x2000)
    m.step(0, 2)
    assert m.vcpu(0).regs.gpr[RAX] & 0xFFFF == 0x1235


def test_flags_that_are_written_hold_for_the_next_instruction() -> None:
    m = machines.machine(bytes.fromhex("15 0000 f4"))  # adc ax, 0
    m.write_register(0, "rflags", 1)
    m.step(0, 1)
    assert m.vcpu(0).regs.gpr[RAX] == 1


def test_a_single_step_flag_that_is_written_traps() -> None:
    m = machines.machine(INC_LOOP)
    m.write_register(0, "rflags", 1 << 8)
    m.step(0, 1)
    assert any(logged.event.kind == "exception" for logged in m.log.last(20))


@pytest.mark.parametrize("raw", [False, True])
def test_it_is_done_again_alike(raw: bool) -> None:
    digests: list[tuple[int, int, int]] = []
    for _ in range(2):
        m = machines.machine(INC_LOOP)
        m.run(100)
        before = capture.take(m)
        if digests:
            m.run(1000)
            capture.put(m, before)
        m.write_register(0, "rcx", 0x1234_5678_9ABC, raw=raw)
        m.run(1000)
        digests.append((m.vcpu(0).regs.gpr[RAX], m.vcpu(0).regs.gpr[RCX], m.now))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("nothing", 0, "no register 'nothing'"),
        ("rip", 0x1_0000, "beyond the limit of CS, 0xffff"),
        ("rflags", 1 << 15, "bits 0x8000 are reserved"),
        ("cr0", 1 << 31, "PG, paging, needs PE"),
        ("cr0", 1 << 29, "NW needs CD"),
        ("cr4", 1 << 40, "bit 40 is reserved"),
        ("dr6", 1 << 32, "bits 63:32 are reserved"),
        ("dr0", 1 << 32, "more than 32 bits are for long mode"),
        ("cs", 0, "by a far transfer alone"),
        ("ds", 1 << 16, "a selector has 16 bits"),
        ("tr", 0, "by LTR alone"),
        ("ds.base", 0, "comes from a descriptor"),
        ("gdtr.limit", 1 << 16, "it has the bits 0xffff"),
        ("rax", 1 << 64, "it has 64 bits"),
    ],
)
def test_what_no_instruction_could_load_is_refused(
    name: str, value: int, why: str
) -> None:
    m = machines.machine(INC_LOOP)
    before = bytes(m.vcpu(0).regs.context.state_bytes())
    with pytest.raises(EngineError, match=why):
        m.write_register(0, name, value)
    assert bytes(m.vcpu(0).regs.context.state_bytes()) == before


def test_raw_goes_past_the_rules() -> None:
    m = machines.machine(INC_LOOP)
    m.write_register(0, "cs.base", 0x100, raw=True)
    m.write_register(0, "cr0", 0x6000_0030, raw=True)
    regs = m.vcpu(0).regs
    assert (regs.segment(1).base, regs.cr0) == (0x100, 0x6000_0030)


def test_a_mode_that_is_written_is_told() -> None:
    m = machines.machine(INC_LOOP)
    m.write_register(0, "cr0", 0x6000_0011)
    told = [e for e in (x.event for x in m.log.last(3)) if isinstance(e, ModeChanged)]
    assert [(event.before, event.after) for event in told] == [("real", "protected")]


def test_an_msr_is_written_as_wrmsr_does_and_read_without_a_trace() -> None:
    m = machines.machine(INC_LOOP)
    m.write_msr(0, 0x1B, 0xFEE0_0D00)  # x2APIC
    assert m.read_msr(0, 0x1B) == 0xFEE0_0D00
    m.write_msr(0, 0x808, 0x20)
    assert (m.read_msr(0, 0x80A), m.vcpu(0).apic.tpr) == (0x20, 0x20)
    count = m.log.next_seq
    assert m.read_msr(0, 0x802) == 0
    assert m.log.next_seq == count
    for msr, value, why in (
        (0x1B, 0xFEE0_0900, "a way between modes"),
        (0x99999, 0, "there is no such MSR"),
        (0x80A, 1, "not to be written"),
    ):
        with pytest.raises(EngineError, match=why):
            m.write_msr(0, msr, value)
