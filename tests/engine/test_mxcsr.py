"""MXCSR: what loads it checks, what computes heeds it, and what stores it tells.

Numbers are of SDM Vol. 1 "MXCSR Control and Status Register" and "SIMD Floating-Point
Exceptions"; `test_native_cpu` compares all of it with the processor of the host.
"""

import struct

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.events import ExceptionRaised
from lapis_engine.explain.events import describe
from lapis_engine.vmm.run import run

AT, OUT = 0x2_0000, 0x2_1000
RAX, RCX, RDX = 0, 1, 2
OSFXSR, OSXMMEXCPT, OSXSAVE = 1 << 9, 1 << 10, 1 << 18
LDMXCSR, STMXCSR = "0fae10", "0fae19"
"""[rax] and [rcx]."""
FXRSTOR, FXSAVE, XRSTOR, XSAVE = "0fae08", "0fae01", "0fae28", "0fae21"
LOAD, LOAD1 = "0f104010", "0f104820"
"""movups xmm0, [rax + 16]; movups xmm1, [rax + 32]."""
IE, ZE, OE, UE, PE, DAZ, FTZ = 1, 4, 8, 0x10, 0x20, 0x40, 0x8000
RESET, UM = 0x1F80, 0x800
LEAST, HALF, LARGEST = 0x0080_0000, 0x3F00_0000, 0x7F7F_FFFF
ONE, TWO, THREE, NAN = 0x3F80_0000, 0x4000_0000, 0x4040_0000, 0xFFC0_0000


def guest(code: str, mxcsr: int, one: int = 0, two: int = 0) -> Rig:
    """64-bit code with a word to load, and two operands, by RAX."""
    rig = Rig(wide=True)
    memory, regs = rig.vm.memory, rig.vcpu(0).regs
    memory.write(CODE, bytes.fromhex(code))
    memory.write(AT, struct.pack("<4I4I4I", mxcsr, 0, 0, 0, *[one] * 4, *[two] * 4))
    regs.rip, regs.cr4 = CODE, regs.cr4 | OSFXSR | OSXMMEXCPT | OSXSAVE
    regs.xcr0 = 3
    regs.gpr[RAX], regs.gpr[RCX], regs.gpr[RDX] = AT, OUT, 0
    return rig


def word(rig: Rig, at: int) -> int:
    return int.from_bytes(rig.vm.memory.peek(at, 4), "little")


OPERATIONS = [
    # Instruction, MXCSR, XMM0, XMM1, flags, result.
    ("0f5ec1", 0, ONE, 0, ZE, 0x7F80_0000),
    ("0f5ec1", 0, ONE, THREE, PE, 0x3EAA_AAAB),
    ("0f5ec1", 0, ONE, TWO, 0, HALF),
    ("0f5ec1", 0, 0, 0, IE, NAN),
    ("0f59c1", 0, LARGEST, TWO, OE | PE, 0x7F80_0000),
    ("0f59c1", 0, LEAST | 1, HALF, UE | PE, LEAST >> 1),
    ("0f59c1", 0, LEAST, HALF, 0, LEAST >> 1),
    ("0f59c1", FTZ, LEAST, HALF, UE | PE, 0),
    ("0f59c1", FTZ, LEAST | 1 << 31, HALF, UE | PE, 1 << 31),
    ("0f59c1", FTZ, ONE, HALF, 0, HALF),
    ("0f59c1", DAZ, LEAST >> 1, ONE, 0, 0),
    ("0f51c1", 0, 0, 0xBF80_0000, IE, NAN),
    ("0fc2c102", 0, 0x7FC0_0000, ONE, IE, 0),  # cmpleps of a NaN
    ("0fc2c100", 0, 0x7FC0_0000, ONE, 0, 0),  # cmpeqps, which is quiet
]


@pytest.mark.parametrize(("code", "mode", "one", "two", "flags", "result"), OPERATIONS)
def test_flags_and_results(
    code: str, mode: int, one: int, two: int, flags: int, result: int
) -> None:
    rig = guest(
        LDMXCSR + LOAD + LOAD1 + code + "0f114104" + STMXCSR, RESET | mode, one, two
    )
    run(rig.vm, rig.vcpu(0), budget=6)
    assert word(rig, OUT) == RESET | mode | flags
    assert word(rig, OUT + 4) == result


@pytest.mark.parametrize("pieces", [(9,), (1,) * 9, (4, 5), (5, 4)])
def test_flags_stay_until_they_are_loaded_away(pieces: tuple[int, ...]) -> None:
    """1 / 3, and then 1 / 1 with the flags cleared between, however it is cut."""
    exact = "0f5ec0"
    code = LDMXCSR + LOAD + LOAD1 + "0f5ec1" + exact + STMXCSR + LDMXCSR + exact
    rig = guest(code + "0fae5904", RESET, ONE, THREE)
    for budget in pieces:
        run(rig.vm, rig.vcpu(0), budget=budget)
    assert (word(rig, OUT), word(rig, OUT + 4)) == (RESET | PE, RESET)


@pytest.mark.parametrize(("code", "place"), [(FXSAVE, 24), (XSAVE, 24)])
def test_an_image_has_them_too(code: str, place: int) -> None:
    """1 / 0, and RAX names x87 and SSE for XSAVE."""
    rig = guest(LDMXCSR + LOAD + LOAD1 + "0f5ec1 b803000000" + code, RESET, ONE, 0)
    run(rig.vm, rig.vcpu(0), budget=6)
    assert word(rig, OUT + place) == RESET | ZE


def test_ftz_is_for_sse_and_not_for_x87() -> None:
    """The least normal number, halved by FMUL, is denormal: half of it."""
    code = LDMXCSR + "dbe3 d94010 d84820 d919"  # fninit; fld; fmul; fstp
    rig = guest(code, RESET | FTZ, LEAST, HALF)
    run(rig.vm, rig.vcpu(0), budget=5)
    assert word(rig, OUT) == LEAST >> 1


def test_ftz_does_nothing_while_underflow_is_not_masked() -> None:
    rig = guest(
        LDMXCSR + LOAD + LOAD1 + "0f59c1 0f1101", (RESET | FTZ) & ~UM, LEAST, HALF
    )
    run(rig.vm, rig.vcpu(0), budget=5)
    assert word(rig, OUT) == LEAST >> 1


def refused(rig: Rig, instructions: int) -> list[str]:
    run(rig.vm, rig.vcpu(0), budget=instructions)
    run(rig.vm, rig.vcpu(0), budget=0)
    return [
        describe(event) for event in rig.events(0) if isinstance(event, ExceptionRaised)
    ]


SENTENCE = f"#GP(0x0) at {CODE:#x}: MXCSR 0x11f80: bits 31:16 are reserved"


@pytest.mark.parametrize(
    ("code", "rax", "said"),
    [
        (LDMXCSR, AT, [SENTENCE]), (FXRSTOR, AT - 32, [SENTENCE]),
        ("f3" + LDMXCSR, AT, None), ("66" + LDMXCSR, AT, None),
        ("f2" + STMXCSR, AT, None), ("66" + FXSAVE, AT, None),
        (XRSTOR.replace("28", "29"), 2, [SENTENCE]),
        (XRSTOR.replace("28", "29"), 1, []),
    ],
)  # fmt: skip
def test_reserved_bits(code: str, rax: int, said: list[str] | None) -> None:
    """XRSTOR [rcx] of x87 alone does not look; with F3 it is no LDMXCSR at all."""
    rig = guest(code, 0x1_1F80)
    regs, memory = rig.vcpu(0).regs, rig.vm.memory
    regs.gpr[RAX] = rax
    for image in (AT - 32, OUT):
        memory.write(image, bytes(576))
        memory.write(image + 24, (0x1_1F80).to_bytes(4, "little"))
    memory.write(AT, (0x1_1F80).to_bytes(4, "little"))
    if said is not None:
        assert refused(rig, 1) == said
    else:
        (text,) = refused(rig, 1)
        assert text.startswith("#UD")


def test_without_osfxsr_it_is_ud_whatever_it_holds() -> None:
    rig = guest(LDMXCSR, 0x1_1F80)
    rig.vcpu(0).regs.cr4 &= ~OSFXSR
    (text,) = refused(rig, 1)
    assert text.startswith("#UD")


WIDE = "48"
POINTED = "dbe3 d94010 d9e8"
"""fninit; fld dword [rax + 16], 3 bytes at 2; fld1, which leaves FDP."""
FNSTENV = "d9b100100000"
"""[rcx + 4096]."""


@pytest.mark.parametrize("prefix", ["", WIDE])
@pytest.mark.parametrize(
    ("save", "restore"), [(FXSAVE, "0fae09"), (XSAVE, "0fae29"), ("0fae31", "0fae29")]
)
def test_pointers_of_x87_are_kept_in_an_image(
    save: str, restore: str, prefix: str
) -> None:
    """FIP at 8, FDP at 16; with REX.W 64 bits, else 32 and a selector. FOP is at 6."""
    code = POINTED + "b803000000" + prefix + save + "dbe3" + prefix + restore + FNSTENV
    rig = guest(code, RESET, ONE)
    memory, regs = rig.vm.memory, rig.vcpu(0).regs
    memory.write(OUT, b"\xee" * 512 + bytes(64))
    regs.gpr[RDX] = 0
    run(rig.vm, rig.vcpu(0), budget=8)
    image = memory.peek(OUT, 32)
    cs, ds = regs.selector(1), regs.selector(3)
    selectors = (0, 0) if prefix else (cs, ds)
    assert image[5:8] == bytes(3)
    assert struct.unpack("<IIII", image[8:24]) == (
        CODE + 5, selectors[0], AT + 16, selectors[1]
    )  # fmt: skip
    environment = struct.unpack("<7I", memory.peek(OUT + 4096, 28))
    assert environment[3] == CODE + 5
    assert environment[5] == AT + 16
    assert (environment[4] & 0xFFFF, environment[6] & 0xFFFF) == selectors


def test_an_image_without_x87_clears_the_pointers() -> None:
    rig = guest(POINTED + "b803000000 0fae29" + FNSTENV, RESET, ONE)
    rig.vm.memory.write(OUT, b"\x11" * 24 + RESET.to_bytes(4, "little"))
    rig.vm.memory.write(OUT + 28, bytes(548))
    run(rig.vm, rig.vcpu(0), budget=6)
    assert struct.unpack("<7I", rig.vm.memory.peek(OUT + 4096, 28))[3:] == (0,) * 4


def test_a_part_that_is_not_asked_for_is_not_written() -> None:
    """RFBM is that of SSE: no byte of x87's."""
    rig = guest("b802000000" + XSAVE, RESET)
    rig.vm.memory.write(OUT, b"\xee" * 512 + bytes(64))
    run(rig.vm, rig.vcpu(0), budget=2)
    assert rig.vm.memory.peek(OUT, 24) == b"\xee" * 24
    assert word(rig, OUT + 24) == RESET


def test_registers_after_reset() -> None:
    """SDM Vol. 3A "Processor State After Reset": FCW 40h, tags 5555h, MXCSR 1F80h.

    stmxcsr [rcx]; fnstenv [rcx + 4096]; and LDMXCSR of 0 is something else.
    """
    rig = guest(STMXCSR + FNSTENV + LDMXCSR + "0fae5904", 0)
    regs = rig.vcpu(0).regs
    untouched = regs.context.vector_bytes()
    run(rig.vm, rig.vcpu(0), budget=4)
    assert word(rig, OUT) == RESET
    fcw, fsw, tags = struct.unpack("<3I", rig.vm.memory.peek(OUT + 4096, 12))
    assert (fcw & 0xFFFF, fsw & 0xFFFF, tags & 0xFFFF) == (0x40, 0, 0x5555)
    assert word(rig, OUT + 4) == 0
    assert regs.context.vector_bytes() != untouched
