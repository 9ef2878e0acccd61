"""SYSCALL, SYSRET, SYSENTER, SYSEXIT: what they load, and each check, as numbers.

SDM Vol. 2B, the "Operation" of each; APM Vol. 3 where a row is AMD's. Hidden parts are
written as the high dword of a descriptor: 0xA09B00 is present, code of type 11, L, G.
"""

from dataclasses import replace

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.registers import CS, SS, Registers, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.explain.rules import SENTENCES, rule_text
from lapis_engine.vmm.run import run

RCX, RDX, RSP, R11 = 1, 2, 4, 11
UD, GP = 6, 13
EFER, STAR, LSTAR, CSTAR, FMASK = range(0xC000_0080, 0xC000_0085)
SYSCALL, SYSRET, SYSRETQ = "0f05", "0f07", "480f07"
SYSENTER, SYSEXIT, SYSEXITQ = "0f34", "0f35", "480f35"
CF, TF, IF, DF, IOPL, NT, RF, VM, AC, ID = (
    *(1, 1 << 8, 1 << 9, 1 << 10, 3 << 12, 1 << 14, 1 << 16, 1 << 17, 1 << 18),
    1 << 21,
)
USER_TABLES = 0x9_0000, 0x9_1000, 0x9_2000
"""Of the rig: PML4, PDPT and the first directory."""
TARGET, STACK_64 = 0xFFFF_8000_1234_5000, 0xFFFF_9000_0000_8000
HOLE, FIRST_HOLE, LAST_LOW = 0x1234_5678_9ABC_DEF0, 1 << 47, (1 << 47) - 1


def by_vendor(found: Rig, vendor: str) -> Rig:
    """The same with a processor of a vendor."""
    assert vendor in {"intel", "amd"}
    kind = replace(found.vm.cpu.model, vendor="amd" if vendor == "amd" else "intel")
    found.vm.cpu = found.vm.cpu._replace(model=kind)
    return found


def rig(mode: str, code: str, *, cpl: int = 0, flags: int = 2) -> tuple[Rig, Registers]:
    """A vCPU of a mode at an instruction, all MSRs of system calls set."""
    rig = Rig(wide=mode in {"long", "compat"})
    rig.vm.memory.write(CODE, bytes.fromhex(code))
    for table in USER_TABLES:  # U, for CPL 3: the first entry of each
        rig.vm.memory.write(table, bytes([rig.vm.memory.read(table, 1)[0] | 4]))
    regs = rig.vcpu(0).regs
    regs.rip = CODE
    msrs = regs.context.msrs
    regs.efer |= 1
    # Kernel CS 0x10 with an RPL that does not count; user base 0x33.
    msrs[STAR].value = 0x0033_0013_0040_5060
    msrs[LSTAR].value, msrs[CSTAR].value = TARGET, 0x7000_0000
    msrs[FMASK].value = 0x4_7700
    msrs[0x174].value = 0x63
    msrs[0x175].value, msrs[0x176].value = STACK_64, TARGET
    dpl = cpl << 13
    if mode == "compat":
        regs.set_segment(CS, Segment(0x23, 0, 0xFFFF_FFFF, 0xC0_9B00 | dpl))
    if mode == "real":
        regs.cr0 &= ~0x8000_0001
        regs.set_segment(CS, Segment(0, 0, 0xFFFF, 0x9B00))
        rig.vm.memory.write(0x7000, bytes.fromhex(code))
        regs.rip = 0x7000
    if mode == "v86":
        for index in range(6):
            regs.set_segment(index, Segment(0, 0, 0xFFFF, 0xF300))
        regs.rip = 0x7000
        rig.vm.memory.write(0x7000, bytes.fromhex(code))
        flags |= VM
    elif cpl:
        regs.set_segment(SS, Segment(0x2B, 0, 0xFFFF_FFFF, 0xC0_9300 | dpl))
    regs.rflags = flags
    return rig, regs


def fault(found: Rig) -> tuple[int, int | None, str | None] | None:
    run(found.vm, found.vcpu(0), budget=1)
    for event in found.events(0):
        if isinstance(event, ExceptionRaised):
            return event.vector, event.error, event.rule
    return None


def loaded(regs: Registers) -> tuple[Segment, Segment]:
    return regs.segment(CS), regs.segment(SS)


def flat(selector: int, flags: int) -> Segment:
    return Segment(selector, 0, 0xFFFF_FFFF, flags)


def test_syscall_in_64_bit_code() -> None:
    flags = CF | TF | IF | DF | IOPL | NT | AC | ID | 2
    found, regs = rig("long", SYSCALL, cpl=3, flags=flags)
    rsp = regs.gpr[RSP]
    assert fault(found) is None
    assert loaded(regs) == (flat(0x10, 0xA0_9B00), flat(0x1B, 0xC0_9300))
    assert (regs.rip, regs.gpr[RCX], regs.gpr[RSP]) == (TARGET, CODE + 2, rsp)
    assert regs.gpr[R11] == flags
    assert regs.rflags == CF | ID | 2
    assert (regs.cpl, regs.mode) == (0, "long")
    assert found.vcpu(0).retired == 1


def test_syscall_clears_rf_everywhere() -> None:
    found, regs = rig("long", SYSCALL, flags=RF | 2)
    found.vcpu(0).regs.context.msrs[FMASK].value = 0
    assert fault(found) is None
    assert (regs.gpr[R11], regs.rflags) == (2, 2)


def test_a_mask_of_all_ones_leaves_bit_1() -> None:
    found, regs = rig("long", SYSCALL, flags=CF | 2)
    regs.context.msrs[FMASK].value = 0xFFFF_FFFF
    assert fault(found) is None
    assert regs.rflags == 2


@pytest.mark.parametrize(
    ("code", "cs", "rip"),
    [
        (SYSRETQ, flat(0x43, 0xA0_FB00), LAST_LOW),
        (SYSRET, flat(0x33, 0xC0_FB00), 0xFFFF_FFFF),
    ],
)
def test_sysret_from_64_bit_code(code: str, cs: Segment, rip: int) -> None:
    found, regs = rig("long", code)
    regs.gpr[RCX] = LAST_LOW
    regs.gpr[R11] = (1 << 64) - 1 - TF
    assert fault(found) is None
    assert loaded(regs) == (cs, flat(0x3B, 0xC0_F300))
    assert regs.rip == rip
    assert regs.rflags == 0x3C_7ED7
    assert regs.cpl == 3


def test_sysenter_in_long_mode() -> None:
    for mode in ("long", "compat"):
        found, regs = rig(mode, SYSENTER, cpl=3, flags=IF | DF | NT | AC | 2)
        assert fault(found) is None
        assert loaded(regs) == (flat(0x60, 0xA0_9B00), flat(0x68, 0xC0_9300))
        assert (regs.rip, regs.gpr[RSP]) == (TARGET, STACK_64)
        assert regs.rflags == DF | NT | AC | 2
        assert (regs.cpl, regs.mode) == (0, "long")


@pytest.mark.parametrize("mode", ["protected", "v86"])
def test_sysenter_outside_long_mode(mode: str) -> None:
    found, regs = rig(mode, SYSENTER, cpl=3, flags=IF | CF | 2)
    assert regs.cpl == 3
    assert fault(found) is None
    assert loaded(regs) == (flat(0x60, 0xC0_9B00), flat(0x68, 0xC0_9300))
    assert (regs.rip, regs.gpr[RSP]) == (0x1234_5000, 0x8000)
    assert regs.rflags == CF | 2
    assert (regs.cpl, regs.mode) == (0, "protected")


@pytest.mark.parametrize(
    ("mode", "code", "cs", "ss"),
    [
        ("long", SYSEXITQ, flat(0x83, 0xA0_FB00), flat(0x8B, 0xC0_F300)),
        ("long", SYSEXIT, flat(0x73, 0xC0_FB00), flat(0x7B, 0xC0_F300)),
        ("compat", SYSEXIT, flat(0x73, 0xC0_FB00), flat(0x7B, 0xC0_F300)),
        ("protected", SYSEXIT, flat(0x73, 0xC0_FB00), flat(0x7B, 0xC0_F300)),
    ],
)
def test_sysexit(mode: str, code: str, cs: Segment, ss: Segment) -> None:
    found, regs = rig(mode, code, flags=IF | CF | 2)
    regs.gpr[RDX], regs.gpr[RCX] = LAST_LOW, LAST_LOW - 7
    assert fault(found) is None
    assert loaded(regs) == (cs, ss)
    narrow = 0xFFFF_FFFF if code == SYSEXIT else LAST_LOW
    assert (regs.rip, regs.gpr[RSP]) == (narrow, narrow - 7)
    assert (regs.rflags, regs.cpl) == (IF | CF | 2, 3)


REFUSED = [
    # Intel: mode, CPL, instruction, what is set, vector, rule.
    ("intel", "long", 3, SYSCALL, {"efer": 0}, UD, "sce"),
    ("intel", "compat", 3, SYSCALL, {}, UD, "call-mode"),
    ("intel", "protected", 0, SYSCALL, {}, UD, "call-mode"),
    ("intel", "real", 0, SYSCALL, {}, UD, "call-mode"),
    ("intel", "v86", 3, SYSCALL, {}, UD, "call-mode"),
    ("intel", "long", 0, SYSRETQ, {"efer": 0}, UD, "sce"),
    ("intel", "compat", 0, SYSRET, {}, UD, "call-mode"),
    ("intel", "protected", 0, SYSRET, {}, UD, "call-mode"),
    ("intel", "long", 3, SYSRETQ, {}, GP, "call-cpl"),
    ("intel", "long", 3, SYSRETQ, {RCX: HOLE}, GP, "call-cpl"),
    ("intel", "long", 0, SYSRETQ, {RCX: HOLE}, GP, "return-rip"),
    ("intel", "long", 0, SYSRETQ, {RCX: FIRST_HOLE}, GP, "return-rip"),
    ("intel", "long", 0, SYSRET, {RCX: HOLE}, None, None),
    ("intel", "long", 3, SYSENTER, {"cs": 0}, GP, "sysenter-cs"),
    ("intel", "long", 3, SYSENTER, {"cs": 3}, GP, "sysenter-cs"),
    ("intel", "long", 3, SYSENTER, {"cs": 4}, None, None),
    ("intel", "real", 0, SYSENTER, {}, GP, "call-real"),
    ("intel", "real", 0, SYSEXIT, {}, GP, "call-real"),
    ("intel", "v86", 3, SYSEXIT, {}, GP, "call-cpl"),
    ("intel", "protected", 3, SYSEXIT, {}, GP, "call-cpl"),
    ("intel", "protected", 0, SYSEXIT, {"cs": 1}, GP, "sysenter-cs"),
    ("intel", "long", 0, SYSEXITQ, {RDX: HOLE}, GP, "return-rip"),
    ("intel", "long", 0, SYSEXITQ, {RCX: HOLE}, GP, "return-rsp"),
    ("intel", "long", 0, SYSEXIT, {RCX: HOLE, RDX: HOLE}, None, None),
    # AMD: SYSRET does not look at RCX, the fetch does, at CPL 3.
    ("amd", "long", 0, SYSRETQ, {RCX: HOLE}, None, None),
    ("amd", "long", 3, SYSENTER, {}, UD, "call-vendor"),
    ("amd", "compat", 3, SYSENTER, {}, UD, "call-vendor"),
    ("amd", "long", 0, SYSEXITQ, {}, UD, "call-vendor"),
    ("amd", "protected", 3, SYSENTER, {}, None, None),
    ("amd", "protected", 3, SYSRET, {}, GP, "call-cpl"),
    ("amd", "real", 0, SYSRET, {}, GP, "call-real"),
    ("amd", "protected", 0, SYSCALL, {"efer": 0}, UD, "sce"),
]


@pytest.mark.parametrize(
    ("who", "mode", "cpl", "code", "given", "vector", "rule"), REFUSED
)
def test_checks(
    who: str,
    mode: str,
    cpl: int,
    code: str,
    given: dict[int | str, int],
    vector: int | None,
    rule: str | None,
) -> None:
    found, regs = rig(mode, code, cpl=cpl)
    for key, value in given.items():
        if key == "efer":
            regs.efer &= ~1
        elif key == "cs":
            regs.context.msrs[0x174].value = value
        else:
            assert isinstance(key, int)
            regs.gpr[key] = value
    before = regs.rip, regs.gpr[RCX]
    raised = fault(by_vendor(found, who))
    if vector is None:
        assert raised is None
        return
    assert raised == (vector, None if vector == UD else 0, rule)
    (where,) = [e.rip for e in found.events(0) if isinstance(e, ExceptionRaised)][:1]
    assert (where, regs.gpr[RCX]) == before


def test_amd_syscall_in_compatibility_mode_goes_by_cstar() -> None:
    found, regs = rig("compat", SYSCALL, cpl=3, flags=IF | CF | 2)
    regs.gpr[RCX] = HOLE
    assert fault(by_vendor(found, "amd")) is None
    assert loaded(regs) == (flat(0x10, 0xA0_9B00), flat(0x1B, 0xC0_9300))
    assert (regs.rip, regs.gpr[RCX]) == (0x7000_0000, CODE + 2)
    assert (regs.gpr[R11], regs.rflags) == (IF | CF | 2, CF | 2)


def test_amd_syscall_in_legacy_mode_goes_by_star() -> None:
    found, regs = rig("protected", SYSCALL, cpl=3, flags=IF | CF | DF | 2)
    assert fault(by_vendor(found, "amd")) is None
    assert loaded(regs) == (flat(0x10, 0xC0_9B00), flat(0x1B, 0xC0_9300))
    assert (regs.rip, regs.gpr[RCX]) == (0x0040_5060, CODE + 2)
    assert (regs.gpr[R11], regs.rflags) == (0, CF | DF | 2)
    assert regs.cpl == 0


def test_amd_sysret_in_legacy_mode_sets_if_and_leaves_the_hidden_ss() -> None:
    found, regs = rig("protected", SYSRET, flags=CF | 2)
    regs.set_segment(SS, Segment(0x18, 0x1000, 0xFFFF, 0x9300))
    regs.gpr[RCX] = 0x5000
    assert fault(by_vendor(found, "amd")) is None
    cs, ss = loaded(regs)
    assert (cs, ss[:3]) == (flat(0x33, 0xC0_FB00), (0x3B, 0x1000, 0xFFFF))
    assert (regs.rip, regs.rflags, regs.cpl) == (0x5000, IF | CF | 2, 3)


DB_TRAP = (1, None, "debug")


def trap(found: Rig) -> tuple[int, int | None, str | None] | None:
    """What came after the one instruction."""
    run(found.vm, found.vcpu(0), budget=1)
    run(found.vm, found.vcpu(0), budget=0)
    events = [e for e in found.events(0) if isinstance(e, ExceptionRaised)]
    return (events[0].vector, events[0].error, events[0].rule) if events else None


def test_tf_in_the_mask_is_no_trap() -> None:
    found, regs = rig("long", SYSCALL, flags=TF | 2)
    assert trap(found) is None
    assert (regs.rip, regs.dr[6] & 1 << 14) == (TARGET, 0)


@pytest.mark.parametrize("code", [SYSCALL, SYSENTER, SYSEXITQ])
def test_tf_that_stays_is_a_trap_at_the_target(code: str) -> None:
    found, regs = rig("long", code, flags=TF | 2)
    regs.context.msrs[FMASK].value = 0
    regs.context.msrs[LSTAR].value = regs.context.msrs[0x176].value = CODE + 0x100
    regs.gpr[RDX] = CODE + 0x100
    assert trap(found) == DB_TRAP
    assert regs.dr[6] & 1 << 14
    (raised,) = [e for e in found.events(0) if isinstance(e, ExceptionRaised)][:1]
    assert raised.rip == CODE + 0x100


def test_sysret_to_a_set_tf_traps_before_the_first_instruction() -> None:
    found, regs = rig("long", SYSRETQ)
    regs.gpr[RCX], regs.gpr[R11] = CODE + 0x100, TF | 2
    assert trap(found) == DB_TRAP


def test_every_rule_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Breach)
    assert rule_text("of-tomorrow") == "of-tomorrow"
    assert "EFER.SCE" in rule_text("sce")
