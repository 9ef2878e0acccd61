"""What CPUID offers runs, and what it does not is #UD: feature by feature.

The bits are those of SDM Vol. 2A "CPUID", the encodings those of Vol. 2; neither is
taken from the engine. Each runs alone, in 64-bit code at CPL 0 with all of CR4 that the
model has.
"""

import pytest
from rigs import machines

from lapis_engine.cpu.model import leaves
from lapis_engine.cpu.model.catalog import MODELS
from lapis_engine.cpu.registers import CS, RBX, RCX, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.machine.machine import Machine

TABLES, DATA = 0x40_0000, 0x20_0000
UD, GP = 6, 13
L1, L7, LD, LE = 1, 7, 0xD, 0x8000_0001
EAX, EBX, ECX, EDX = range(4)

FEATURES: dict[str, tuple[int, int, int, int, str]] = {
    # Leaf, sub-leaf, register, bit, encodings; memory is at [rbx].
    "FPU": (L1, 0, EDX, 0, "d9e8 ddd8"),
    "CX8": (L1, 0, EDX, 8, "0fc70b"),
    "CMOV": (L1, 0, EDX, 15, "0f44c1 dac1"),
    "CLFSH": (L1, 0, EDX, 19, "0fae3b"),
    "MMX": (L1, 0, EDX, 23, "0fefc0 0f77"),
    "FXSR": (L1, 0, EDX, 24, "0fae03 0fae0b"),
    "SSE": (L1, 0, EDX, 25, "0f57c0 0f10c1 f30f58c1 0fae5b10 0fc6c100"),
    "SSE2": (L1, 0, EDX, 26, "660f57c0 f20f58c1 660fefc0 0faee8 0faef0 660f70c100"),
    "SSE3": (L1, 0, ECX, 0, (
        "660fd0c1 f20fd0c1 660f7cc1 f20f7cc1 660f7dc1 f20f7dc1 f20ff003 f20f12c1 "
        "f30f12c1 f30f16c1 db0b dd0b df0b f20f1203 48db0b")),
    "PCLMULQDQ": (L1, 0, ECX, 1, "660f3a44c100 660f3a440300"),
    "MONITOR": (L1, 0, ECX, 3, "0f01c8 0f01c9"),
    "VMX": (L1, 0, ECX, 5, "0f01c1 0f01c2 0f01c3 0f01c4 0fc733 f30fc733 0f78c1 0f79c1"),
    "SMX": (L1, 0, ECX, 6, "0f37"),
    "SSSE3": (L1, 0, ECX, 9, (
        "0f3800c1 660f3800c1 660f3801c1 660f3804c1 660f380bc1 0f381cc1 660f381ec1 "
        "660f3a0fc101 0f3a0fc101 660f380003")),
    "FMA": (L1, 0, ECX, 12, "c4e27198c2 c4e271b8c2"),
    "CX16": (L1, 0, ECX, 13, "480fc70b"),
    "SSE4_1": (L1, 0, ECX, 19, (
        "660f3810c1 660f3817c1 660f3820c1 660f382a03 660f3830c1 660f3838c1 "
        "660f3840c1 660f3841c1 660f3a08c100 660f3a0ec100 660f3a14c000 660f3a16c000 "
        "660f3a20c000 660f3a40c100 660f3a42c100")),
    "SSE4_2": (L1, 0, ECX, 20, (
        "660f3837c1 660f3a60c100 660f3a63c100 f20f38f0c1 f20f38f1c1 66f20f38f1c1 "
        "f2480f38f1c1")),
    "MOVBE": (L1, 0, ECX, 22, "0f38f003 0f38f103 660f38f003 480f38f103"),
    "POPCNT": (L1, 0, ECX, 23, "f30fb8c1 f3480fb8c1 66f30fb8c1"),
    "AES": (L1, 0, ECX, 25, "660f38dbc1 660f38dcc1 660f38dfc1 660f3adfc100"),
    "XSAVE": (L1, 0, ECX, 26, "0f01d0 0f01d1 0fae23 0fae2b"),
    "AVX": (L1, 0, ECX, 28, "c5f058c2 c5f877 c4e17058c2 c5fc77 c5f910c0 c5f81003"),
    "F16C": (L1, 0, ECX, 29, "c4e27913c1 c4e3791dc100"),
    "RDRAND": (L1, 0, ECX, 30, "0fc7f0 480fc7f0 660fc7f0"),
    "FSGSBASE": (L7, 0, EBX, 0, "f30faec0 f30faec8 f3480faed0 f3480faed8"),
    "SGX": (L7, 0, EBX, 2, "0f01cf"),
    "BMI1": (L7, 0, EBX, 3, "c4e270f2c2 c4e270f7c2 c4e278f3c9 c4e278f3d1 c4e278f3d9"),
    "HLE": (L7, 0, EBX, 4, ""),
    "AVX2": (L7, 0, EBX, 5, "c5f5fec2 c4e27d5ac1"),
    "BMI2": (L7, 0, EBX, 8, (
        "c4e268f5c1 c4e26bf5c1 c4e26af5c1 c4e26bf6c1 c4e26af7c1 c4e269f7c1 c4e26bf7c1 "
        "c4e37bf0c101")),
    "INVPCID": (L7, 0, EBX, 10, "660f388203"),
    "RDSEED": (L7, 0, EBX, 18, "0fc7f8 480fc7f8"),
    "ADX": (L7, 0, EBX, 19, "660f38f6c1 f30f38f6c1"),
    "SMAP": (L7, 0, EBX, 20, "0f01ca 0f01cb"),
    "CLFLUSHOPT": (L7, 0, EBX, 23, "660fae3b"),
    "CLWB": (L7, 0, EBX, 24, "660fae33"),
    "SHA": (L7, 0, EBX, 29, "0f38c8c1 0f38ccc1 0f3accc100"),
    "PKU": (L7, 0, ECX, 3, "0f01ee 0f01ef"),
    "RDPID": (L7, 0, ECX, 22, "f30fc7f8"),
    "MOVDIRI": (L7, 0, ECX, 27, "0f38f90b"),
    "SERIALIZE": (L7, 0, EDX, 14, "0f01e8"),
    "XSAVEOPT": (LD, 1, EAX, 0, "0fae33"),
    "XSAVEC": (LD, 1, EAX, 1, "0fc723"),
    "XSAVES": (LD, 1, EAX, 3, "0fc72b 0fc71b"),
    "LAHF64": (LE, 0, ECX, 0, "9f 9e"),
    "SVM": (LE, 0, ECX, 2, "0f01d8 0f01d9 0f01da 0f01db 0f01dc 0f01dd 0f01df"),
    "SSE4A": (LE, 0, ECX, 6, "f20f2b03 f30f2b03 660f78c00101 f20f79c1"),
    "NX": (LE, 0, EDX, 20, ""),
    "RDTSCP": (LE, 0, EDX, 27, "0f01f9"),
    "3DNOW": (LE, 0, EDX, 31, "0f0fc10d 0f0e"),
}  # fmt: skip
CASES = [
    pytest.param(model, name, code, id=f"{model}-{name}-{code}")
    for model in MODELS
    for name, row in FEATURES.items()
    for code in row[4].split()
]


def machine(model: str, code: bytes) -> Machine:
    m = machines.machine(code, cpu=model)
    regs, write = m.vcpus[0].regs, m.vm.memory.write
    for at, value in (
        (0, TABLES + 0x1003), (0x1000, TABLES + 0x2003),
        *((0x2000 + 8 * n, n << 21 | 0x83) for n in range(4)),
    ):  # fmt: skip
        write(TABLES + at, value.to_bytes(8, "little"))
    for index in range(6):
        regs.set_segment(index, Segment(0x10, 0, 0xFFFF_FFFF, 0xCF_9300))
    regs.cr3, regs.efer = TABLES, 0x500
    bits = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18
    regs.cr4 = bits & m.vm.cpu.model.cr4
    regs.cr0 = 0x8000_0031
    regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xAF_9B00))
    regs.rip, regs.gpr[RBX] = machines.BASE, DATA
    regs.gpr[4] = DATA + 0x1000
    return m


def raised(m: Machine) -> ExceptionRaised | None:
    """Step once; return the exception that came of it."""
    m.vcpus[0].regs.idtr = Segment(0, 0, 0, 0)
    m.step(0)
    events = [e.event for e in m.log.last(9) if isinstance(e.event, ExceptionRaised)]
    return events[0] if events else None


def is_offered(m: Machine, name: str) -> bool:
    leaf, sub, register, bit, _ = FEATURES[name]
    facts = leaves.Facts(0, 1, True, True, True, True, False, 10**9, 10**9)
    return bool(leaves.answer(m.vm.cpu.model, leaf, sub, facts)[register] >> bit & 1)


@pytest.mark.parametrize(("model", "name", "code"), CASES)
def test_what_is_offered_runs_and_the_rest_is_undefined(
    model: str, name: str, code: str
) -> None:
    m = machine(model, bytes.fromhex(code))
    event = raised(m)
    if not is_offered(m, name):
        assert event is not None
        assert event.vector == UD
        return
    if code == "0f01d1":  # EAX is 0, and XCR0 without x87 is not
        assert event is not None
        assert (event.vector, event.rule) == (GP, "xcr0-bits")
    else:
        assert event is None, event
        assert m.vcpus[0].regs.rip == machines.BASE + len(code) // 2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("bits", [16, 32])
def test_les_and_lds_are_no_vex(model: str, bits: int) -> None:
    """Outside 64-bit code C4 and C5 with memory are LES and LDS; else they are VEX."""
    m = machines.machine(b"\xc4\x03" if bits == 32 else b"\xc4\x07", cpu=model)
    regs = m.vcpus[0].regs
    if bits == 32:
        regs.cr0 = 0x11
        regs.set_segment(CS, Segment(8, 0x1_0000, 0xFFFF_FFFF, 0xCF_9B00))
    regs.gpr[RBX] = 0x600
    assert raised(m) is None
    m = machines.machine(bytes.fromhex("c5f058c2"), cpu=model)
    event = raised(m)
    assert event is not None
    assert event.vector == UD


@pytest.mark.parametrize(
    ("cr4", "xcr", "low", "high", "vector", "rule"),
    [
        (0, 0, 1, 0, UD, "osxsave"),
        (1 << 18, 1, 1, 0, GP, "xcr-number"),
        (1 << 18, 0, 0, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 2, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 7, 0, GP, "xcr0-bits"),
        (1 << 18, 0, 1, 1, GP, "xcr0-bits"),
        (1 << 18, 0, 1, 0, None, None),
        (1 << 18, 0, 3, 0, None, None),
    ],
)
def test_xsetbv(
    cr4: int, xcr: int, low: int, high: int, vector: int | None, rule: str | None
) -> None:
    """SDM Vol. 2D "XSETBV"; XGETBV gives it back."""
    m = machine("lapis", bytes.fromhex("0f01d1 0f01d0"))
    regs = m.vcpus[0].regs
    regs.cr4 = 1 << 5 | cr4
    regs.gpr[0], regs.gpr[RCX], regs.gpr[2] = low, xcr, high
    event = raised(m)
    if vector is None:
        assert event is None
        regs.gpr[0] = 0
        assert raised(m) is None
        assert (regs.gpr[0], regs.xcr0) == (low, low)
    else:
        assert event is not None
        assert (event.vector, event.rule) == (vector, rule)
        assert regs.xcr0 == 1


@pytest.mark.parametrize(
    ("cpl", "cr4", "rule"),
    [(0, 0, "rdpmc-counter"), (3, 0, "rdpmc-pce"), (3, 1 << 8, "rdpmc-counter")],
)
def test_rdpmc(cpl: int, cr4: int, rule: str) -> None:
    m = machines.machine(bytes.fromhex("0f33"))
    regs = m.vcpus[0].regs
    regs.cr0, regs.cr4 = 0x11, cr4
    flags = 0xCF_9300 | cpl << 13
    for index in range(6):
        regs.set_segment(index, Segment(0x10 | cpl, 0, 0xFFFF_FFFF, flags))
    regs.set_segment(CS, Segment(8 | cpl, 0x1_0000, 0xFFFF_FFFF, flags | 0x800))
    event = raised(m)
    assert event is not None
    assert (event.vector, event.error, event.rule) == (GP, 0, rule)


@pytest.mark.parametrize("prefix", ["f3", "66f3", "f348", "f344"])
@pytest.mark.parametrize("source", [0, 1, 0x18, 0x8000, 1 << 31, 1 << 63, 0x1_0000])
@pytest.mark.parametrize("opcode", ["bc", "bd"])
def test_without_bmi_and_lzcnt_it_is_a_scan(
    opcode: str, source: int, prefix: str
) -> None:
    """SDM Vol. 2 "TZCNT": on a processor without it, BSF; so LZCNT and BSR."""
    m = machine("base", bytes.fromhex(f"{prefix}0f{opcode}c1"))
    regs = m.vcpus[0].regs
    regs.gpr[RCX] = source
    register = 8 if prefix == "f344" else 0
    before = 0x1122_3344_5566_7788
    regs.gpr[register] = before
    assert raised(m) is None
    size = {"f3": 32, "66f3": 16, "f348": 64, "f344": 32}[prefix]
    value = source & ((1 << size) - 1)
    assert bool(regs.rflags & 0x40) == (value == 0)
    if not value:
        assert regs.gpr[register] == before
        return
    low = (value & -value).bit_length() - 1
    found = low if opcode == "bc" else value.bit_length() - 1
    kept = before & ~0xFFFF if size == 16 else 0
    assert regs.gpr[register] == kept | found
