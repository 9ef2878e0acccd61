"""What control registers and MSRs take: each rule of the manual, by its numbers.

SDM Vol. 2B "MOV - Move to/from Control Registers", "WRMSR"; Vol. 3A "Control
Registers", "Memory Cache Control"; Vol. 4.
"""

from dataclasses import replace

import pytest
from rigs import machines

from lapis_engine.cpu.model.catalog import MODELS, Cpu
from lapis_engine.cpu.registers import CS, RAX, RCX, RDX, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.explain.events import describe
from lapis_engine.explain.rules import NUMBERED, SENTENCES, rule_text
from lapis_engine.machine.machine import Machine

PE, MP, ET, NE, WP, NW, CD, PG = (
    1 << n for n in (0, 1, 4, 5, 16, 29, 30, 31)
)  # fmt: skip
PAE, LME, LMA, NXE = 1 << 5, 1 << 8, 1 << 10, 1 << 11
TABLES = 0x40_0000
REAL, PROTECTED, LONG = "real", "protected", "long"
FLAGS = {REAL: 0x9B00, PROTECTED: 0xCF_9B00, LONG: 0xAF_9B00}


def machine(mode: str, code: str, model: str = "lapis") -> Machine:
    m = machines.machine(bytes.fromhex(code), strict=True)
    m.vm.cpu = Cpu(MODELS[model])
    regs = m.vcpus[0].regs
    regs.rip = machines.BASE
    limit = 0xFFFF_FFFF
    for index in range(6):
        regs.set_segment(index, Segment(0x10, 0, limit, 0xCF_9300))
    if mode == LONG:
        for at, value in ((0, TABLES + 0x1003), (0x1000, 0x83)):
            m.vm.memory.write(TABLES + at, value.to_bytes(8, "little"))
        m.vm.memory.write(TABLES + 0x1000, (TABLES + 0x2003).to_bytes(8, "little"))
        for n in range(4):
            entry = (n << 21 | 0x83).to_bytes(8, "little")
            m.vm.memory.write(TABLES + 0x2000 + 8 * n, entry)
        regs.cr3, regs.cr4, regs.efer = TABLES, PAE, LME | LMA
        regs.cr0 = PG | PE | ET
    elif mode == PROTECTED:
        regs.cr0 = PE | ET
    regs.set_segment(CS, Segment(8, 0, limit, FLAGS[mode]))
    return m


def ran(m: Machine) -> str | None:
    """Step once: return the rule that was broken, or None if it was done."""
    vcpu = m.vcpus[0]
    before, retired = vcpu.regs.rip, vcpu.retired
    vcpu.regs.idtr = Segment(0, 0, 0, 0)  # the next fault is not delivered
    m.step(0)
    raised = [e.event for e in m.log.last(9) if isinstance(e.event, ExceptionRaised)]
    if not raised:
        assert vcpu.retired == retired + 1
        return None
    event = raised[0]
    assert (event.vector, event.error, event.rip) == (13, 0, before)
    assert event.rule is not None
    assert event.values, "what broke the rule is told"
    return event.rule


def said(m: Machine) -> str:
    """Step once, which faults; return what is said about it behind the address."""
    m.vcpus[0].regs.idtr = Segment(0, 0, 0, 0)
    m.step(0)
    raised = [e.event for e in m.log.last(9) if isinstance(e.event, ExceptionRaised)]
    told = replace(raised[0], failed=None)  # the machines here have no handlers
    _, _, text = describe(told).partition(f" at {told.rip:#x}: ")
    return text


CONTROL = [
    # Register, mode, value, CR4 and EFER beside, rule.
    (0, PROTECTED, PE | 1 << 32, 0, 0, None),
    (0, LONG, PG | PE | ET | 1 << 32, PAE, LME | LMA, "cr0-high"),
    (0, LONG, PG | PE | ET | 1 << 63, PAE, LME | LMA, "cr0-high"),
    (0, PROTECTED, PG, 0, 0, "cr0-pg-pe"),
    (0, REAL, PG | CD, 0, 0, "cr0-pg-pe"),
    (0, PROTECTED, PE | NW, 0, 0, "cr0-nw-cd"),
    (0, PROTECTED, PE | NW | CD, 0, 0, None),
    (0, PROTECTED, PE | CD, 0, 0, None),
    (0, PROTECTED, PE | PG, 0, LME, "cr0-pae"),
    (0, LONG, PE | ET, PAE, LME | LMA, "cr0-64"),
    (0, LONG, PG | PE | ET | WP | NE | MP, PAE, LME | LMA, None),
    (0, PROTECTED, PE | 1 << 6 | 1 << 28, 0, 0, None),
    (3, LONG, TABLES | 0xFE7, PAE, LME | LMA, None),
    (3, LONG, TABLES | 1 << 40, PAE, LME | LMA, "cr3-reserved"),
    (3, LONG, TABLES | 1 << 63, PAE, LME | LMA, "cr3-reserved"),
    (3, PROTECTED, 0xFFFF_FFFF, 0, 0, None),
    (4, LONG, 0, PAE, LME | LMA, "cr4-pae"),
    (4, LONG, PAE | 1 << 4 | 1 << 7 | 3 << 9, PAE, LME | LMA, None),
    (4, LONG, PAE | 1 << 32, PAE, LME | LMA, "cr4-reserved"),
    *((4, PROTECTED, 1 << n, 0, 0, "cr4-reserved") for n in (0, 1, 11, 12, 13, 14)),
    *((4, PROTECTED, 1 << n, 0, 0, "cr4-reserved") for n in (15, 17, 19, 21, 22, 23)),
    *((4, PROTECTED, 1 << n, 0, 0, "cr4-reserved") for n in range(24, 32)),
    *((4, PROTECTED, 1 << n, 0, 0, None) for n in (*range(2, 11), 16, 18, 20)),
    (8, LONG, 15, PAE, LME | LMA, None),
    (8, LONG, 16, PAE, LME | LMA, "cr8-reserved"),
    (8, LONG, 1 << 63, PAE, LME | LMA, "cr8-reserved"),
]


@pytest.mark.parametrize(("number", "mode", "value", "cr4", "efer", "rule"), CONTROL)
def test_a_control_register(
    number: int, mode: str, value: int, cr4: int, efer: int, rule: str | None
) -> None:
    code = "440f22c0" if number == 8 else f"0f22{0xC0 | number << 3:02x}"
    m = machine(mode, code)
    regs = m.vcpus[0].regs
    regs.cr4, regs.efer = cr4, efer
    regs.gpr[RAX] = value
    assert ran(m) == rule
    assert regs.gpr[RAX] == value
    if rule is None:
        assert regs.rip == machines.BASE + len(code) // 2
    if rule is None and number == 0:
        reserved = 0x1FFA_FFC0  # what there is not is dropped
        assert regs.cr0 == (value & 0xFFFF_FFFF | ET) & ~reserved
    elif rule is None and number in {3, 4}:
        assert (regs.cr3 if number == 3 else regs.cr4) == value & (1 << 64) - 1


def test_base_has_fewer_bits_of_cr4() -> None:
    for bit in (16, 18, 20):
        m = machine(PROTECTED, "0f22e0", "base")
        m.vcpus[0].regs.gpr[RAX] = 1 << bit
        assert ran(m) == "cr4-reserved"


def test_cr3_is_checked_by_a_strict_machine_alone() -> None:
    m = machine(LONG, "0f22d8")
    plain = machines.machine(b"\xf4")
    assert m.vm.core.is_strict
    tails = [each.vcpus[0].regs.context.tail for each in (m, plain)]
    assert [tail.intercept_cr_write >> 3 & 1 for tail in tails] == [1, 0]


def test_clts_and_lmsw_are_done() -> None:
    m = machine(PROTECTED, "0f06 0f01f0")
    regs = m.vcpus[0].regs
    regs.cr0, regs.gpr[RAX] = PE | ET | 8, 3
    assert ran(m) is None
    assert regs.cr0 == PE | ET
    assert ran(m) is None
    assert regs.cr0 == PE | ET | MP


WB_UC = 0x0606_0606_0000_0000
MSRS = [
    (0x277, 0x0007_0406_0007_0406, None), (0x277, 0x0705_0400_0601_0706, None),
    (0x277, 0x0000_0000_0000_0002, "msr-memory-type"),
    (0x277, 0x0300_0000_0000_0000, "msr-memory-type"),
    (0x277, 0x0000_0008_0000_0000, "msr-memory-type"),
    (0x250, WB_UC, None), (0x268, 0x0505_0404_0101_0000, None),
    (0x26F, 0x0000_0000_0000_0007, "msr-memory-type"),
    (0x259, 0x0200_0000_0000_0000, "msr-memory-type"),
    (0x200, 0xFF_FFFF_F006, None), (0x200, 0x100_0000_0006, "msr-reserved"),
    (0x200, 0x106, "msr-reserved"), (0x20E, 3, "msr-memory-type"),
    (0x201, 0xFF_FFFF_F800, None), (0x201, 0x400, "msr-reserved"),
    (0x2FF, 0xC06, None), (0x2FF, 0x1000, "msr-reserved"),
    (0x2FF, 0xC02, "msr-memory-type"), (0x2FF, 0x300, "msr-reserved"),
    (0xFE, 0x508, None), (0xFE, 0x50A, "msr-read-only"),
    (0x179, 1, "msr-read-only"), (0x17A, 0, None), (0x17A, 1, "msr-read-only"),
    (0x1D9, 0, None), (0x1D9, 1, "msr-reserved"), (0x1D9, 2, "msr-reserved"),
    (0x1A0, 0x1800, None), (0x1A0, 0x1801, None), (0x1A0, 1, "msr-reserved"),
    (0xC000_0080, 0xD01, None), (0xC000_0080, 0x2, "efer-reserved"),
    (0xC000_0080, 1 << 12, "efer-reserved"), (0xC000_0080, 1 << 63, "efer-reserved"),
    *((n, 0x7FFF_FFFF_FFFF, None) for n in (0x175, 0x176, 0xC000_0082, 0xC000_0083)),
    *((n, 0xFFFF_8000_0000_0000, None) for n in (0xC000_0100, 0xC000_0101)),
    *((n, 1 << 47, "msr-address") for n in (0x175, 0x176, 0xC000_0082, 0xC000_0083)),
    *((n, 1 << 63, "msr-address") for n in range(0xC000_0100, 0xC000_0103)),
    (0xC000_0084, 0xFFFF_FFFF, None), (0xC000_0084, 1 << 32, "msr-reserved"),
    (0xC000_0103, 0xFFFF_FFFF, None), (0xC000_0103, 1 << 32, "msr-reserved"),
    (0x1B, 0xFEE0_0901, "apicbase"), (0x1B, 0xFEE0_0500, "apicbase"),
    (0x802, 0, "x2apic-off"), (0x808, 0, "x2apic-off"),
    (0, 0, "msr-unknown"), (0x1234, 0, "msr-unknown"), (0xC001_0015, 0, "msr-unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "value", "rule"), MSRS)
def test_an_msr(number: int, value: int, rule: str | None) -> None:
    m = machine(PROTECTED, "0f30 0f32")
    gpr = m.vcpus[0].regs.gpr
    gpr[RCX], gpr[RAX], gpr[RDX] = number, value & 0xFFFF_FFFF, value >> 32
    assert ran(m) == rule
    if rule is None and number != 0xC000_0080:
        assert ran(m) is None
        assert gpr[RDX] << 32 | gpr[RAX] == value


def test_lme_and_paging() -> None:
    m = machine(LONG, "0f30")
    gpr = m.vcpus[0].regs.gpr
    gpr[RCX], gpr[RAX], gpr[RDX] = 0xC000_0080, 0, 0
    assert ran(m) == "efer-lme"


@pytest.mark.parametrize(
    ("number", "rule"), [(0x802, "x2apic-off"), (0x17D, "msr-unknown")]
)
def test_a_read_says_why(number: int, rule: str) -> None:
    m = machine(PROTECTED, "0f32")
    m.vcpus[0].regs.gpr[RCX] = number
    assert ran(m) == rule


def test_in_x2apic_mode_a_register_that_is_not_there() -> None:
    m = machine(PROTECTED, "0f32")
    vcpu = m.vcpus[0]
    vcpu.apic.apicbase |= 1 << 10
    vcpu.regs.gpr[RCX] = 0x801
    assert ran(m) == "x2apic-access"


def test_base_has_no_tsc_aux() -> None:
    m = machine(PROTECTED, "0f32", "base")
    m.vcpus[0].regs.gpr[RCX] = 0xC000_0103
    assert ran(m) == "msr-unknown"


def test_of_amd_upper_halves_are_lost() -> None:
    """APM Vol. 2 "SYSCALL and SYSRET MSRs"."""
    m = machine(PROTECTED, "0f30")
    m.vm.cpu = Cpu(replace(MODELS["lapis"], vendor="amd"))
    regs = m.vcpus[0].regs
    regs.gpr[RCX], regs.gpr[RAX], regs.gpr[RDX] = 0xC000_0084, 5, 1
    assert ran(m) is None
    assert regs.context.msrs[0xC000_0084].value == 5


WRMSR, RDMSR = "0f30", "0f32"
SAID = [
    # Mode, code, RCX, RDX:RAX, sentence.
    (PROTECTED, "0f22e0", 0, 1 << 23 | 1 << 4,
     "CR4 0x800010: bit 23 is reserved, or of what CPUID does not offer"),
    (PROTECTED, "0f22e0", 0, 7 << 23,
     "CR4 0x3800000: bits 25, 24 and 23 are reserved, or of what CPUID does not offer"),
    (PROTECTED, "0f22c0", 0, PG,
     "CR0 0x80000000: PG, paging, needs PE, protected mode"),
    (PROTECTED, RDMSR, 0x802, 0,
     "RDMSR 0x802: x2APIC ID, and the APIC is in xAPIC mode"),
    (PROTECTED, WRMSR, 0x832, 0x20,
     "WRMSR 0x832 of 0x20: x2APIC LVT TIMER, and the APIC is in xAPIC mode"),
    (PROTECTED, RDMSR, 0x804, 0,
     "RDMSR 0x804: no register of the x2APIC, and the APIC is in xAPIC mode"),
    (PROTECTED, RDMSR, 0x1234, 0, "RDMSR 0x1234: there is no such MSR"),
    (PROTECTED, WRMSR, 0x2FF, 0x1000,
     "WRMSR 0x2ff of 0x1000: bit 12 is reserved, or read-only"),
    (PROTECTED, WRMSR, 0xC000_0080, 1 << 63 | 2,
     "WRMSR 0xc0000080 of 0x8000000000000002: bits 63 and 1 are reserved in IA32_EFER"),
    (PROTECTED, WRMSR, 0x1B, 0xFEE0_0500,
     ("WRMSR 0x1b of 0xfee00500: a reserved bit, or a way between modes of the APIC "
      "that there is not, from 0xfee00900")),
    (PROTECTED, WRMSR, 0xC000_0082, 1 << 47,
     "WRMSR 0xc0000082 of 0x800000000000: the MSR takes canonical addresses alone"),
    (PROTECTED, "0f33", 5, 0, "ECX 0x5: there is no performance counter"),
    (PROTECTED, "0fc7f0", 0, 0, "CPUID does not offer the instruction 0f c7 f0"),
    (PROTECTED, "f20f79c1", 0, 0,
     "CPUID does not offer the instruction f2 0f 79 c1"),
    (REAL, "0f34", 0, 0, "CR0 0x60000010, real mode: it is not for that"),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "code", "rcx", "value", "sentence"), SAID)
def test_a_sentence_has_the_values(
    mode: str, code: str, rcx: int, value: int, sentence: str
) -> None:
    m = machine(mode, code)
    gpr = m.vcpus[0].regs.gpr
    gpr[RCX], gpr[RAX], gpr[RDX] = rcx, value & 0xFFFF_FFFF, value >> 32
    assert said(m) == sentence


def test_the_mode_of_the_apic_is_told() -> None:
    m = machine(PROTECTED, RDMSR)
    m.vcpus[0].apic.apicbase &= ~(1 << 11)
    m.vcpus[0].regs.gpr[RCX] = 0x80B
    assert said(m) == "RDMSR 0x80b: x2APIC EOI, and the APIC is disabled"
    m = machine(PROTECTED, RDMSR)
    m.vcpus[0].apic.apicbase |= 1 << 10
    m.vcpus[0].regs.gpr[RCX] = 0x80B
    text = "RDMSR 0x80b: x2APIC EOI, which is not to be read like this"
    assert said(m) == text


def test_an_event_without_values_has_the_rule_alone() -> None:
    """As events of before there were any."""
    assert rule_text("cr8-reserved") == "bits 63:4 of CR8 are reserved"
    assert rule_text("msr-unknown", (0x10,)) == "there is no such MSR"
    assert rule_text("of-tomorrow", (1, 2)) == "of-tomorrow"
    assert set(NUMBERED) == set(SENTENCES)
