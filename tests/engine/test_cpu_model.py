"""The models of the processor: CPUID as a guest reads it, and what contradicts itself.

Numbers are the SDM's (Vol. 2A "CPUID"), or plain arithmetic on the configuration.
"""

from dataclasses import replace

import pytest
from conformance.rig import CODE, Rig
from rigs import machines

from lapis_engine.cpu.model import consistency
from lapis_engine.cpu.model.catalog import MODELS, Cpu, model_named
from lapis_engine.cpu.model.record import CpuidLeaf, CpuModel, Msr
from lapis_engine.cpu.registers import CS, RAX, RBX, RCX, RDX, SS, Segment
from lapis_engine.errors import ConfigError
from lapis_engine.events import ExceptionRaised
from lapis_engine.machine.machine import Machine
from lapis_engine.units import MASK32

CPUID = bytes.fromhex("0fa2")
MODEL = pytest.mark.parametrize("name", MODELS)


def cpuid(m: Machine, leaf: int, sub: int = 0, number: int = 0) -> tuple[int, ...]:
    """Have a vCPU carry out CPUID, in its own code."""
    m.vm.memory.write(machines.BASE, CPUID)
    regs = m.vcpu(number).regs
    gpr = regs.gpr
    regs.rip = 0
    for at in (RAX, RBX, RCX, RDX):
        gpr[at] = 0xDEAD_0000_0000
    gpr[RAX], gpr[RCX] = leaf, sub
    m.step(number)
    assert regs.rip == 2
    return gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]


def one(cpus: int = 1, model: str = "lapis", hypervisor: str = "none") -> Machine:
    m = machines.machine(CPUID, cpus)
    m.vm.cpu = Cpu(MODELS[model], hypervisor)  # type: ignore[arg-type]
    return m


def test_vendor_and_highest_leaves() -> None:
    m = one()
    eax, ebx, ecx, edx = cpuid(m, 0)
    assert eax == 0x1F
    assert b"".join(n.to_bytes(4, "little") for n in (ebx, edx, ecx)) == b"GenuineIntel"
    assert cpuid(m, 0x8000_0000)[0] == 0x8000_0008


def test_topology_by_sub_leaf() -> None:
    """Three vCPUs: two bits of id; levels SMT and core, then invalid ones (E2)."""
    m = one(3)
    for leaf in (0xB, 0x1F):
        assert cpuid(m, leaf, 0) == (0, 1, 0x100, 0)
        assert cpuid(m, leaf, 1) == (2, 3, 0x201, 0)
        for sub in (2, 3, 0xFF):
            assert cpuid(m, leaf, sub) == (0, 0, sub, 0)
    assert cpuid(m, 1)[1] >> 16 & 0xFF == 3
    assert [cpuid(m, 4, sub)[0] >> 26 for sub in range(4)] == [3, 3, 3, 0]
    assert [cpuid(m, 4, sub)[0] & 0x1F for sub in range(4)] == [1, 2, 3, 0]
    alone = one()
    assert cpuid(alone, 4)[0] >> 26 == 0
    assert cpuid(alone, 1)[3] >> 28 & 1 == 0


def test_a_leaf_out_of_range_is_the_highest_basic_one() -> None:
    m = one(3)
    for leaf in (0x20, 0x3FFF_FFFF, 0x4000_0000, 0x8000_0009, 0xFFFF_FFFF):
        assert cpuid(m, leaf, 1) == cpuid(m, 0x1F, 1)


def test_of_amd_a_leaf_out_of_range_is_zero() -> None:
    m = one()
    lapis = MODELS["lapis"]
    m.vm.cpu = Cpu(replace(lapis, vendor="amd"))
    assert cpuid(m, 0x20) == (0, 0, 0, 0)


def test_xsave_is_x87_and_sse() -> None:
    """512 bytes and the header of 64 (SDM Vol. 1 "XSAVE Area")."""
    m = one()
    assert cpuid(m, 0xD) == (3, 576, 576, 0)
    assert cpuid(m, 0xD, 1) == (1, 0, 0, 0)
    for sub in range(2, 64):
        assert cpuid(m, 0xD, sub) == (0, 0, 0, 0)
    assert m.vcpu(0).regs.xcr0 == 1


def test_bits_that_follow_the_registers() -> None:
    m = one()
    assert cpuid(m, 1)[2] >> 27 & 1 == 0
    m.vcpu(0).regs.cr4 |= 1 << 18
    assert cpuid(m, 1)[2] >> 27 & 1 == 1
    assert cpuid(m, 1)[3] >> 9 & 1 == 1
    m.vcpu(0).apic.apicbase &= ~(1 << 11)
    assert cpuid(m, 1)[3] >> 9 & 1 == 0


@pytest.mark.parametrize("sub", [0, 1, 7])
def test_nothing_that_is_not_modelled_is_offered(sub: int) -> None:
    """MONITOR VMX SMX FMA PCID AVX F16C RDRAND; AVX2 RDSEED ADX SHA; SVM."""
    m = one()
    assert cpuid(m, 1)[2] & (1 << 3 | 3 << 5 | 1 << 12 | 1 << 17 | 7 << 28) == 0
    assert cpuid(m, 7, sub)[1] & (1 << 5 | 1 << 18 | 1 << 19 | 1 << 29) == 0
    assert cpuid(m, 0x8000_0001)[2] & 4 == 0
    assert cpuid(m, 5) == (0, 0, 0, 0)


def test_base_is_the_first_level_of_x86_64() -> None:
    """ps ABI: CMOV CX8 FPU FXSR MMX SSE SSE2, SYSCALL, LM; nothing of the second."""
    m = one(model="base")
    ecx, edx = cpuid(m, 1)[2:]
    for bit in (0, 8, 15, 23, 24, 25, 26):
        assert edx >> bit & 1
    for bit in (0, 9, 13, 19, 20, 22, 23, 25, 26):
        assert not ecx >> bit & 1
    assert cpuid(m, 7) == (0, 1 << 1, 0, 0)  # TSC_ADJUST, which is of the clock
    assert cpuid(m, 0x8000_0001)[2] == 0
    assert cpuid(m, 0x8000_0001)[3] == 1 << 29 | 1 << 20 | 1 << 11


@pytest.mark.parametrize(
    ("tsc_hz", "ratio", "frequencies"),
    [
        (1_000_000_000, (0, 0, 0, 0), (1000, 1000, 1000, 0)),
        (3_000_000_000, (0, 0, 0, 0), (3000, 3000, 1000, 0)),
        (1_234_567_891, (0, 0, 0, 0), (0, 0, 0, 0)),
    ],
)
def test_frequencies(
    tsc_hz: int, ratio: tuple[int, ...], frequencies: tuple[int, ...]
) -> None:
    """The APIC timer of profile sdm counts at 1 GHz."""
    m = one()
    m.vm.tsc_hz = tsc_hz
    assert cpuid(m, 0x16) == frequencies
    eax, ebx, ecx, _ = cpuid(m, 0x15)
    if ebx:
        assert ecx * ebx // eax == tsc_hz
        assert ecx == 1_000_000_000
    else:
        assert (eax, ebx, ecx, 0) == ratio


def test_the_hypervisor_by_option() -> None:
    m = one()
    assert cpuid(m, 1)[2] >> 31 == 0
    for hypervisor, newest in (("kvm", 0x4000_0001), ("timing", 0x4000_0010)):
        m = one(hypervisor=hypervisor)
        assert cpuid(m, 1)[2] >> 31 == 1
        eax, *name = cpuid(m, 0x4000_0000)
        assert eax == newest
        text = b"".join(n.to_bytes(4, "little") for n in name)
        assert text == b"KVMKVMKVM\0\0\0"
        assert cpuid(m, 0x4000_0001) == (0, 0, 0, 0)
    m.vm.tsc_hz = 2_500_000_000
    assert cpuid(m, 0x4000_0010) == (2_500_000, 1_000_000, 0, 0)


def test_rdtscp_loads_tsc_aux() -> None:
    """SDM Vol. 2B "RDTSCP": ECX = IA32_TSC_AUX; RDTSC leaves it (E3)."""
    m = one()
    m.vm.memory.write(machines.BASE, bytes.fromhex("0f01f9 0f31 2e0f01f9"))
    regs = m.vcpu(0).regs
    regs.context.msrs[0xC000_0103].value = 0x1234
    regs.gpr[RCX] = 0xFFFF_FFFF_FFFF
    m.step(0)
    assert (regs.gpr[RCX], regs.rip) == (0x1234, 3)
    regs.gpr[RCX] = 7
    m.step(0)
    assert (regs.gpr[RCX], regs.rip) == (7, 5)
    m.step(0)
    assert (regs.gpr[RCX], regs.rip) == (0x1234, 9)


@pytest.mark.parametrize(("model", "vector"), [("base", 6), ("lapis", 13)])
def test_rdtscp_is_there_before_cr4_tsd_is_looked_at(model: str, vector: int) -> None:
    """SDM Vol. 2B "RDTSCP": #UD without the feature, else #GP(0) by TSD at CPL 3."""
    rig = Rig(cpu=model)
    for table in 0x9_0000, 0x9_1000, 0x9_2000:  # U, all the way down
        rig.vm.memory.write(table, bytes([rig.vm.memory.read(table, 1)[0] | 4]))
    rig.vm.memory.write(CODE, bytes.fromhex("0f01f9"))
    regs = rig.vcpu(0).regs
    regs.rip, regs.cr4 = CODE, regs.cr4 | 4
    regs.set_segment(CS, Segment(0x13, 0, MASK32, 0xA0_FB00))
    regs.set_segment(SS, Segment(0x1B, 0, MASK32, 0xC0_F300))
    rig.enter(0, 1)
    raised = next(e for e in rig.events(0) if isinstance(e, ExceptionRaised))
    assert (raised.vector, raised.rip) == (vector, CODE)


# What contradicts itself.

LAPIS = MODELS["lapis"]


def leaf(at: int, sub: int = 0, **changed: int) -> CpuModel:
    """`lapis` with another row; a register may be given bits to flip."""
    row = LAPIS.leaf(at, sub)
    flipped = {name: getattr(row, name) ^ bits for name, bits in changed.items()}
    return replace(LAPIS, leaves={**LAPIS.leaves, (at, sub): row._replace(**flipped)})


CONTRADICTIONS = {
    "SMEP is offered, and bit 20 of CR4 cannot": replace(LAPIS, cr4=0x5_07FC),
    "bit 21 of CR4 can be set, and SMAP": replace(LAPIS, cr4=LAPIS.cr4 | 1 << 21),
    "bit 20 of CR4 can be set, and SMEP": leaf(7, ebx=1 << 7),
    "bit 11 of EFER can be set, and NX": leaf(0x8000_0001, edx=1 << 20),
    "NX is offered, and bit 11 of EFER": replace(LAPIS, efer=0x501),
    "XCR0 has bits, and XSAVE": replace(leaf(1, ecx=1 << 26), cr4=0x11_07FC),
    "XCR0 takes 0x7: x87 and SSE": replace(leaf(0xD, eax=4), xcr0=7),
    "leaf 0xd offers XCR0 = 0x7": leaf(0xD, eax=4),
    "XCR0 lacks bit 0": replace(leaf(0xD, eax=1), xcr0=2),
    "an area of 832 bytes": leaf(0xD, ecx=0x340 ^ 0x240),
    "SSE4_1 is offered without SSSE3": leaf(1, ecx=1 << 9),
    "RDRAND is offered": leaf(1, ecx=1 << 30),
    "AVX is offered": leaf(1, ecx=1 << 28),
    "MONITOR is offered": leaf(1, ecx=1 << 3),
    "OSXSAVE is offered, which the engine": leaf(1, ecx=1 << 27),
    "IA32_TSC_AUX is there, and RDTSCP": leaf(0x8000_0001, edx=1 << 27),
    "IA32_PAT is there, and PAT": leaf(1, edx=1 << 16),
    "leaf 0x20 lies beyond": leaf(0x20, eax=1),
    "leaf 0x80000009 lies beyond": leaf(0x8000_0009, eax=1),
    "leaf 0x40000000 is the hypervisor's": leaf(0x4000_0000, eax=1),
    "its vendor is amd, and leaf 0 says": replace(LAPIS, vendor="amd"),
    "name two vendors": leaf(0x8000_0000, ebx=1),
    "EBX has 32 bits": leaf(2, ebx=1 << 32),
    "a reset value that it does not take": replace(
        LAPIS, msrs={0x277: Msr("IA32_PAT", 2, form="pat", feature="PAT")}
    ),
    "'SPEED', which is no feature": replace(
        LAPIS, msrs={0x10: Msr("IA32_SPEED", feature="SPEED")}
    ),
    "an MSR has 64 bits": replace(LAPIS, msrs={0x10: Msr("X", writable=1 << 64)}),
    "a number has 32 bits": replace(LAPIS, msrs={1 << 32: Msr("X")}),
}


@pytest.mark.parametrize("sentence", CONTRADICTIONS)
def test_a_model_that_contradicts_itself_is_refused(sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        consistency.check(CONTRADICTIONS[sentence])
    assert str(refused.value).startswith("CPU model 'lapis' contradicts itself: ")
    found = list(consistency.contradictions(CONTRADICTIONS[sentence]))
    assert any(sentence in each for each in found), found


@MODEL
def test_those_there_are_do_not(name: str) -> None:
    assert list(consistency.contradictions(model_named(name))) == []
    assert all(isinstance(row, CpuidLeaf) for row in MODELS[name].leaves.values())


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'z80': there are lapis, base"):
        model_named("z80")
