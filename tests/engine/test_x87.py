"""Sines, logarithms and remainders of x87: to the last bit, and on every host the same.

The oracles are decimals as mathematicians have published them, and rational numbers.
Special operands, exceptions and the processor of the host are in `test_x87_special`.
"""

import subprocess
import sys
from fractions import Fraction
from random import Random

import pytest
from conformance.rig import CODE as GUEST
from conformance.rig import Rig as Machine
from rigs.native_x87 import Raw, given
from rigs.processor import CODE, Rig
from rigs.x87 import (
    ALL,
    BUSY,
    C0,
    C1,
    C2,
    C3,
    CHOP,
    DE,
    DENORMAL,
    DOWN,
    ES,
    F2XM1,
    FCOS,
    FLDL2E,
    FLDL2T,
    FLDLG2,
    FLDLN2,
    FLDPI,
    FPATAN,
    FPREM,
    FPREM1,
    FPTAN,
    FSCALE,
    FSIN,
    FXTRACT,
    FYL2X,
    FYL2XP1,
    HALF,
    IE,
    INDEFINITE,
    INF,
    NEAREST,
    OE,
    ONE,
    PE,
    PI,
    QUIET,
    SF,
    TWO,
    UE,
    UP,
    ZE,
    ZERO,
    do,
    flags,
    minus,
    nearest,
    sign_of,
    signed,
    value,
)

from lapis_engine.cpu.intercepts import Budget, Marked
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

# Values.

ROOT = "0.4142135623730950488016887242096980785696718753769480731766797379907"
LOG3 = "1.584962500721156181453738943947816508759814407692481060455752654541"
DECIMALS = {
    (FSIN, (ONE,)): "0.8414709848078965066525023216302989996225630607983710656727517",
    (FCOS, (ONE,)): "0.5403023058681397174009366074429766037323104206179222276700972",
    (FPTAN, (ONE,)): "1.557407724654902230506974807458360173087250772381520038383946",
    (FSIN, (TWO,)): "0.9092974268256816953960198659117448427022549714478902683789730",
    (FCOS, (TWO,)): "-0.416146836547142386997568229500762189766000771075544890755149",
    (F2XM1, (HALF,)): ROOT,
    (FYL2X, ((0x4000, 3 << 62), ONE)): LOG3,
    (FYL2XP1, ((0x3FFE, 1 << 63), ONE)): "0.58496250072115618145373894394781650875981",
    (FPATAN, (ONE, ONE)): "0.785398163397448309615660845819875721049292349843776455",
    (FPATAN, (TWO, ONE)): "0.463647609000806116214256231461214402028537054286120263",
    (FPATAN, (ZERO, ONE)): "1.570796326794896619231321691639751442098584699687552910",
    (FPATAN, (minus(ONE), ONE)): "2.35619449019234492884698253745962716314787704953",
    (FPATAN, (minus(INF), ONE)): "3.14159265358979323846264338327950288419716939937",
}
"""Of sin 1, cos 1 and so on: A049469, A049470, A049471, A002193, A020857 and others of
the On-Line Encyclopedia of Integer Sequences."""


@pytest.mark.parametrize("control", [NEAREST, DOWN, UP, CHOP])
@pytest.mark.parametrize(("key", "decimals"), DECIMALS.items())
def test_published_decimals_rounded_once(
    key: tuple[int, tuple[Raw, ...]], decimals: str, control: int
) -> None:
    opcode, operands = key
    ended = do(opcode, given(operands, control, C0 | C1 | C3))
    wanted = nearest(Fraction(decimals), control)
    result = ended.stack[1] if opcode == FPTAN else ended.stack[0]
    assert result == wanted
    is_up = abs(value(wanted)) > abs(Fraction(decimals))
    assert flags(ended) == C0 | C3 | PE | (C1 if is_up else 0)


def test_arguments_are_reduced_by_a_pi_of_66_bits() -> None:
    """SDM Vol. 1 "Approximation of Pi": FLDPI's is a quarter of its last bit too large.

    That bit is 2**-62; the exact pi would make it -5.0165576E-20, and this is -2**-64.
    """
    assert do(FSIN, given((PI,))).stack[0] == (0xBFBF, 1 << 63)
    half_pi = (0x3FFF, PI[1])
    assert do(FCOS, given((half_pi,))).stack[0] == (0xBFBE, 1 << 63)


def test_precision_control_is_for_other_instructions() -> None:
    """SDM Vol. 1 "Precision Control Field" lists which."""
    single = NEAREST & ~0x300
    assert do(FSIN, given((ONE,), single)).stack == do(FSIN, given((ONE,))).stack


@pytest.mark.parametrize(
    ("opcode", "operands", "control", "result"),
    [
        (FSIN, ((0x3000, 1 << 63),), NEAREST, (0x3000, 1 << 63)),
        (FSIN, ((0x3000, 1 << 63),), DOWN, (0x2FFF, (1 << 64) - 1)),
        (FSIN, ((0xB000, 1 << 63),), UP, (0xAFFF, (1 << 64) - 1)),
        (FCOS, ((0x3000, 1 << 63),), CHOP, (0x3FFE, (1 << 64) - 1)),
        (FCOS, ((0x3000, 1 << 63),), UP, ONE),
        (FPATAN, (ONE, (0x3000, 1 << 63)), DOWN, (0x2FFF, (1 << 64) - 1)),
        (FPATAN, ((0x4000, 3 << 62), (0x3000, 3 << 62)), DOWN, (0x2FFE, (1 << 64) - 1)),
        (FPATAN, ((0x4000, 3 << 62), (0x3000, 1 << 63)), DOWN,
         (0x2FFE, 0xAAAA_AAAA_AAAA_AAAA)),
        (FPATAN, ((0x4000, 3 << 62), (0x3000, 1 << 63)), UP,
         (0x2FFE, 0xAAAA_AAAA_AAAA_AAAB)),
    ],
)  # fmt: skip
def test_what_is_nearly_a_number_is_rounded_from_its_side(
    opcode: int, operands: tuple[Raw, ...], control: int, result: Raw
) -> None:
    """sin x < x, cos x < 1, and the angle of y / x is less than that."""
    ended = do(opcode, given(operands, control))
    assert ended.stack[0] == result
    assert flags(ended) & ~C1 == PE


def test_a_tangent_is_larger_than_a_tiny_argument() -> None:
    ended = do(FPTAN, given(((0x3000, 1 << 63),), UP))
    assert ended.stack[:2] == (ONE, (0x3000, (1 << 63) + 1))


@pytest.mark.parametrize(
    ("opcode", "operands", "result"),
    [
        (F2XM1, (ONE,), ONE), (F2XM1, (minus(ONE),), minus(HALF)),
        (FYL2X, ((0x4002, 1 << 63), ONE), (0x4000, 3 << 62)),  # log 8 is 3
        (FYL2X, (HALF, TWO), minus(TWO)), (FYL2X, (ONE, minus(TWO)), minus(ZERO)),
        (FYL2XP1, (ONE, TWO), TWO), (FYL2XP1, (minus(HALF), TWO), minus(TWO)),
    ],
)  # fmt: skip
def test_what_is_exact_is_not_inexact(
    opcode: int, operands: tuple[Raw, ...], result: Raw
) -> None:
    ended = do(opcode, given(operands))
    assert (ended.stack[0], flags(ended)) == (result, 0)


def test_approximations_that_are_asked_for_more_bits_agree() -> None:
    """An interval leaves more room than the bits that mpmath may have wrong."""
    random = Random(87)
    from lapis_engine.cpu.x87 import functions  # noqa: PLC0415 - as the engine does
    from lapis_engine.cpu.x87.number import Number  # noqa: PLC0415

    for _ in range(300):
        x = Number(
            0, 0x3FFF + random.randint(-60, -1), random.getrandbits(63) | 1 << 63
        )
        y = Number(
            0, 0x3FFF + random.randint(-60, 60), random.getrandbits(63) | 1 << 63
        )
        for find in (
            functions.sine, functions.cosine, functions.tangent,
            functions.power_less_one,
        ):  # fmt: skip
            _within(find(x, 128), find(x, 512))
        for both in (
            functions.logarithm, functions.logarithm_of_more, functions.angle,
        ):  # fmt: skip
            _within(both(x, y, 128), both(x, y, 512))


def _within(wide: tuple[int, ...], narrow: tuple[int, ...]) -> None:
    _, low, high, power = wide
    _, inner, outer, finer = narrow
    assert low << (power - finer) < inner < outer < high << (power - finer)


# What is scaled, and constants.

LOADED = {
    FLDL2T: "3.321928094887362347870319429489390175864831393024580612054756395815",
    FLDL2E: "1.442695040888963407359924681001892137426645954152985934135449406931",
    FLDPI: "3.141592653589793238462643383279502884197169399375105820974944592307",
    FLDLG2: "0.301029995663981195213738894724493026768189881462108541310427461127",
    FLDLN2: "0.693147180559945309417232121458176568075500134360255254120680009493",
}


@pytest.mark.parametrize("control", [NEAREST, DOWN, UP, CHOP])
@pytest.mark.parametrize(("opcode", "decimals"), LOADED.items())
def test_constants_are_rounded_and_nothing_is_said(
    opcode: int, decimals: str, control: int
) -> None:
    ended = do(opcode, given((TWO,), control, C0 | C1 | C2 | C3))
    assert ended.stack[:2] == (nearest(Fraction(decimals), control), TWO)
    assert flags(ended) == C0 | C2 | C3
    full = do(opcode, given((ONE,) * 8, control))
    assert (full.stack[0], flags(full)) == (INDEFINITE, IE | SF | C1)


@pytest.mark.parametrize(
    ("x", "exponent", "significand", "raised"),
    [
        ((0x4002, 3 << 62), (0x4000, 3 << 62), (0x3FFF, 3 << 62), 0),
        ((0xBFFB, 1 << 63), (0xC001, 1 << 63), minus(ONE), 0),  # -1/16: -4
        (ZERO, minus(INF), ZERO, ZE), (minus(ZERO), minus(INF), minus(ZERO), ZE),
        (INF, INF, INF, 0), (minus(INF), INF, minus(INF), 0), (QUIET, QUIET, QUIET, 0),
        (DENORMAL, (0xC00D, 16443 << 49), (0x3FFF, 5 << 61), DE),
    ],
)  # fmt: skip
def test_fxtract(x: Raw, exponent: Raw, significand: Raw, raised: int) -> None:
    """Of 12, 3 and 1.5; 5 times 2 to the power of -16445 is 1.25 times -16443."""
    if x == DENORMAL:
        assert value(exponent) == -16443
    ended = do(FXTRACT, given((x, TWO)))
    assert ended.stack[:3] == (significand, exponent, TWO)
    assert flags(ended) == raised


BOTH = (INF, minus(INF), ONE, minus(ONE), ZERO, minus(ZERO))


def scales() -> list[tuple[Raw, Raw, Raw]]:
    """SDM Vol. 2A "FSCALE", its table: (x, y, result)."""
    found = [(x, minus(INF), signed(ZERO, sign_of(x))) for x in BOTH[2:]]
    found += [(x, INF, signed(INF, sign_of(x))) for x in BOTH[:4]]
    found += [(x, minus(INF), INDEFINITE) for x in BOTH[:2]]
    found += [(x, INF, INDEFINITE) for x in BOTH[4:]]
    return found + [(x, TWO, x) for x in (*BOTH[:2], *BOTH[4:])]


@pytest.mark.parametrize(("x", "y", "result"), scales())
def test_special_operands_of_fscale(x: Raw, y: Raw, result: Raw) -> None:
    ended = do(FSCALE, given((x, y)))
    assert (ended.stack[:2], flags(ended)) == (
        (result, y), IE if result == INDEFINITE else 0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y", "control", "result", "raised"),
    [
        (ONE, (0x4000, 0xFFFF << 48), NEAREST, (0x4002, 1 << 63), 0),  # 3.99 is 3
        (ONE, (0xC000, 0xFFFF << 48), NEAREST, (0x3FFC, 1 << 63), 0),
        (ONE, (0x3FFE, (1 << 64) - 1), NEAREST, ONE, 0),
        (ONE, (0x5000, 1 << 63), NEAREST, INF, OE | PE | C1),
        (ONE, (0x5000, 1 << 63), CHOP, (0x7FFE, (1 << 64) - 1), OE | PE),
        (minus(ONE), (0xD000, 1 << 63), NEAREST, minus(ZERO), UE | PE),
        (ONE, (0x5000, 1 << 63), NEAREST & ~OE, INF, OE | PE | C1 | ES | BUSY),
        (ONE, (0xD000, 1 << 63), NEAREST & ~UE, ZERO, UE | PE | ES | BUSY),
    ],
)  # fmt: skip
def test_fscale(x: Raw, y: Raw, control: int, result: Raw, raised: int) -> None:
    """The last two are SDM Vol. 1 "Numeric Overflow Exception", massive ones."""
    ended = do(FSCALE, given((x, y), control))
    assert (ended.stack[0], flags(ended)) == (result, raised)


# Remainders.


@pytest.mark.parametrize("seed", range(4))
def test_a_remainder_is_exact(seed: int) -> None:
    """By rational numbers; the three low bits of the quotient are C0, C3 and C1."""
    random = Random(seed)
    for _ in range(100):
        x = random.choice((0, 0x8000)) | 0x3FFF + random.randint(-3, 60)
        first = (x, random.getrandbits(63) | 1 << 63)
        second = (0x3FFF, random.getrandbits(63) | 1 << 63)
        exact = value(first) / value(second)
        for opcode, quotient in (
            (FPREM, int(exact)), (FPREM1, round(exact)),
        ):  # fmt: skip
            ended = do(opcode, given((first, second), codes=C0 | C1 | C2 | C3))
            left = ended.stack[0]
            assert left is not None
            assert value(left) == value(first) - quotient * value(second)
            many = abs(quotient)
            codes = (C0 if many & 4 else 0) | (C3 if many & 2 else 0)
            assert flags(ended) == codes | (C1 if many & 1 else 0)


@pytest.mark.parametrize("opcode", [FPREM, FPREM1])
def test_an_incomplete_remainder_comes_to_an_end(opcode: int) -> None:
    """C2 while it goes on; each step takes 32 to 63 bits off the difference."""
    first, second = (0x7000, (1 << 64) - 3), (0x3FFF, 0xD000_0000_0000_00AB)
    state, steps = given((first, second)), 0
    while True:
        before = state.stack[0]
        state, steps = do(opcode, state), steps + 1
        after = state.stack[0]
        assert before is not None
        assert after is not None
        if not state.fsw & C2:
            break
        assert before[0] - after[0] >= 32
    whole = value(first) % value(second)
    nearer = whole - value(second) if 2 * whole > value(second) else whole
    assert value(after) == (whole if opcode == FPREM else nearer)
    assert steps > 190


# In a guest.


@pytest.mark.parametrize("opcode", ALL)
@pytest.mark.parametrize("prefix", ["", "66", "2e", "f3", "67"])
def test_the_processor_underneath_is_never_asked(opcode: int, prefix: str) -> None:
    rig = Rig()
    rig.code(f"dbe3 d9e8 {prefix} d9{opcode:02x} f4")
    assert rig.core.run(rig.regs, 10) == Marked()
    assert (rig.core.retired, rig.regs.rip) == (2, CODE + 4)


def test_no_other_instruction_of_the_kind_is_stopped_at() -> None:
    rig = Rig()
    others = (0xE8, 0xEE, 0xFA, 0xFC, 0xE0, 0xE1, 0xE4, 0xE5, 0xF6, 0xF7)
    memory = "d9360006 d93e0006"  # fnstenv, fnstcw: the same ModRM.reg
    rig.code("dbe3 d9e8" + "".join(f"d9{n:02x}" for n in others) + memory)
    assert rig.core.run(rig.regs, len(others) + 4) == Budget()


def guest(code: str, *, cr0: int = 0) -> Machine:
    """64-bit code; CR0 with more bits set."""
    machine = Machine(wide=True)
    machine.vm.memory.write(GUEST, bytes.fromhex(code))
    regs = machine.vcpu(0).regs
    regs.rip, regs.cr0 = GUEST, regs.cr0 | cr0
    return machine


TAN = "dbe3 d9e8 d9f2 90"
"""fninit; fld1; fptan; nop."""


@pytest.mark.parametrize("pieces", [(4,), (1, 1, 1, 1), (3, 1), (2, 2)])
def test_a_guest_sees_it_done(pieces: tuple[int, ...]) -> None:
    """However it is cut: two registers, and the instruction pointer."""
    machine = guest(TAN)
    for budget in pieces:
        run(machine.vm, machine.vcpu(0), budget=budget)
    regs = machine.vcpu(0).regs
    assert regs.rip == GUEST + 7
    fpu = regs.context.x87
    assert (fpu.top, fpu.fsw, list(fpu.empty)) == (6, PE, [1] * 6 + [0, 0])
    assert (fpu.fip, fpu.fcs) == (GUEST + 4, regs.selector(1))
    assert (fpu.slots[6].upper, fpu.slots[6].significand) == ONE
    assert (fpu.slots[7].upper, fpu.slots[7].significand) == (
        0x3FFF, 0xC759_22E5_F71D_2DC5
    )  # fmt: skip


SETS_CR0 = {"EM": 0x4, "TS": 0x8, "NE": 0x20}
WAITS = "dbe3 d92d0a000000 d9e8 d9e8 d9e0 d9f1 d9fe 7e03"
"""fninit; fldcw [rip + 10], which is 37Eh; twice fld1; fchs; fyl2x; fsin."""


def raised_by(machine: Machine, budget: int) -> list[tuple[int, int]]:
    """Return vectors, and where."""
    run(machine.vm, machine.vcpu(0), budget=budget)
    run(machine.vm, machine.vcpu(0), budget=0)
    events = machine.events(0)
    return [(e.vector, e.rip) for e in events if isinstance(e, ExceptionRaised)]


@pytest.mark.parametrize("bit", ["EM", "TS"])
def test_without_a_unit_it_is_nm(bit: str) -> None:
    machine = guest("d9fe", cr0=SETS_CR0[bit])
    assert raised_by(machine, 1) == [(7, GUEST)]


def test_an_exception_that_waits_is_mf() -> None:
    """The logarithm of -1 is invalid, and not masked: the next one raises #MF."""
    assert raised_by(guest(WAITS, cr0=SETS_CR0["NE"]), 7) == [(16, GUEST + 16)]
    machine = guest(WAITS)
    machine.vcpu(0).regs.cr0 &= ~SETS_CR0["NE"]
    assert raised_by(machine, 7) == []
    assert machine.vcpu(0).regs.rip == GUEST + 18


def test_mpmath_is_loaded_by_the_first_such_instruction_alone() -> None:
    code = "import sys, lapis_engine.machine.machine; print('mpmath' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
