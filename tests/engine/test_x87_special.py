"""Special operands of x87, its exceptions, and what the processor of this host makes.

The tables are those of the instruction pages, SDM Vol. 2A.
"""

from fractions import Fraction
from itertools import product
from random import Random

import pytest
from rigs import native_x87
from rigs.native_x87 import Raw, State, given
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
    ES,
    F2XM1,
    FCOS,
    FPATAN,
    FPREM,
    FPREM1,
    FPTAN,
    FSIN,
    FSINCOS,
    FYL2X,
    FYL2XP1,
    HALF,
    IE,
    INDEFINITE,
    INF,
    NEAREST,
    OE,
    ONE,
    OTHER,
    PE,
    QUIET,
    SF,
    SIGNALING,
    TWO,
    UE,
    UNNORMAL,
    UP,
    ZE,
    ZERO,
    do,
    flags,
    minus,
    nearest,
    sign_of,
    signed,
)

WHY_NOT = native_x87.why_not()
# Special operands, by the tables of the manual.

ANY_SIGN = (1, -1)


@pytest.mark.parametrize(
    ("opcode", "operand", "result", "raised"),
    [
        (FSIN, ZERO, ZERO, 0), (FSIN, minus(ZERO), minus(ZERO), 0),
        (FCOS, ZERO, ONE, 0), (FCOS, minus(ZERO), ONE, 0),
        *((opcode, signed(INF, sign), INDEFINITE, IE)
          for opcode in (FSIN, FCOS) for sign in ANY_SIGN),
        (F2XM1, ZERO, ZERO, 0), (F2XM1, minus(ZERO), minus(ZERO), 0),
        *((opcode, QUIET, QUIET, 0) for opcode in (FSIN, FCOS, F2XM1)),
        *((opcode, SIGNALING, (0x7FFF, 0xC000_0000_0000_0005), IE)
          for opcode in (FSIN, FCOS, F2XM1)),
        *((opcode, UNNORMAL, INDEFINITE, IE) for opcode in (FSIN, FCOS, F2XM1)),
        *((opcode, None, INDEFINITE, IE | SF) for opcode in (FSIN, FCOS, F2XM1)),
    ],
)  # fmt: skip
def test_special_operands_of_one(
    opcode: int, operand: Raw | None, result: Raw, raised: int
) -> None:
    ended = do(opcode, given((operand,)))
    assert (ended.stack[0], flags(ended)) == (result, raised)
    assert ended.stack[1:] == (None,) * 7


@pytest.mark.parametrize(
    ("operand", "pair", "raised"),
    [
        (ZERO, {FPTAN: (ONE, ZERO), FSINCOS: (ONE, ZERO)}, 0),
        (minus(ZERO), {FPTAN: (ONE, minus(ZERO)), FSINCOS: (ONE, minus(ZERO))}, 0),
        (INF, {FPTAN: (INDEFINITE,) * 2, FSINCOS: (INDEFINITE,) * 2}, IE),
        (QUIET, {FPTAN: (QUIET,) * 2, FSINCOS: (QUIET,) * 2}, 0),
        (None, {FPTAN: (INDEFINITE,) * 2, FSINCOS: (INDEFINITE,) * 2}, IE | SF),
    ],
)
def test_special_operands_of_what_pushes(
    operand: Raw | None, pair: dict[int, tuple[Raw, Raw]], raised: int
) -> None:
    for opcode, results in pair.items():
        ended = do(opcode, given((operand, TWO)))
        assert ended.stack[:3] == (*results, TWO)
        assert flags(ended) == raised
        assert ended.fsw >> 11 & 7 == 5


@pytest.mark.parametrize("opcode", [FSIN, FCOS, FPTAN, FSINCOS])
@pytest.mark.parametrize("operand", [(0x403E, 1 << 63), (0x7FFE, 3 << 62)])
def test_an_argument_of_two_to_63_and_more_stays(opcode: int, operand: Raw) -> None:
    state = given((operand, TWO), codes=C0 | C1)
    ended = do(opcode, state)
    assert ended == state._replace(fsw=state.fsw & ~C1 | C2)
    largest = (0x403D, (1 << 64) - 1)
    assert not do(opcode, given((largest,), codes=C2)).fsw & C2


def angles() -> list[tuple[Raw, Raw, str | int]]:
    """SDM Vol. 2A "FPATAN", its table: (x, y) -> pi by so many eighths, or y's zero."""
    found: list[tuple[Raw, Raw, str | int]] = []
    for s, t in product(ANY_SIGN, ANY_SIGN):
        x_inf, y_inf = signed(INF, s), signed(INF, t)
        x_one, y_one = signed(ONE, s), signed(ONE, t)
        x_zero, y_zero = signed(ZERO, s), signed(ZERO, t)
        found += [
            (x_inf, y_inf, 1 if s > 0 else 3),
            (x_one, y_inf, 2), (x_zero, y_inf, 2), (x_zero, y_one, 2),
            *((x, y, "zero" if s > 0 else 4)
              for x in (x_inf, x_one, x_zero) for y in (y_zero,)),
            (x_inf, y_one, "zero" if s > 0 else 4),
        ]  # fmt: skip
    return found


@pytest.mark.parametrize(("x", "y", "wanted"), angles())
def test_special_operands_of_fpatan(x: Raw, y: Raw, wanted: str | int) -> None:
    ended = do(FPATAN, given((x, y, TWO)))
    assert ended.stack[1:] == (TWO, *(None,) * 6)
    if isinstance(wanted, str):
        assert (ended.stack[0], flags(ended)) == (signed(ZERO, sign_of(y)), 0)
    else:
        pi = Fraction("3.14159265358979323846264338327950288419716939937510582")
        result = nearest(sign_of(y) * pi * wanted / 4, NEAREST)
        assert ended.stack[0] == result
        assert flags(ended) & ~C1 == PE


INVALID, DIVIDE, PLUS, MINUS = "invalid", "divide", 1, -1
LOGARITHMS = {
    # y positive infinity, positive and finite, +0: x in order
    "-inf": (INVALID, INVALID, INVALID),
    "-1": (INVALID, INVALID, INVALID),
    "0": ((INF, MINUS), DIVIDE, INVALID),
    "1/2": ((INF, MINUS), None, (ZERO, MINUS)),
    "1": (INVALID, (ZERO, PLUS), (ZERO, PLUS)),
    "2": ((INF, PLUS), None, (ZERO, PLUS)),
    "inf": ((INF, PLUS), (INF, PLUS), INVALID),
}
"""SDM Vol. 2A "FYL2X", its table, for y with sign +; None is an ordinary result."""
OPERANDS = {
    "-inf": minus(INF), "-1": minus(ONE), "0": ZERO, "1/2": HALF, "1": ONE, "2": TWO,
    "inf": INF,
}  # fmt: skip
MORE = {
    "-0": ((INVALID), (ZERO, MINUS), (ZERO, MINUS)),
    "0": ((INVALID), (ZERO, PLUS), (ZERO, PLUS)),
    "-1/4": ((INF, MINUS), None, (ZERO, MINUS)),
    "1/4": ((INF, PLUS), None, (ZERO, PLUS)),
}
"""SDM Vol. 2A "FYL2XP1", its table."""
MORE_OPERANDS = {
    "-0": minus(ZERO), "0": ZERO, "-1/4": (0xBFFD, 1 << 63), "1/4": (0x3FFD, 1 << 63),
}  # fmt: skip


@pytest.mark.parametrize("sign", ANY_SIGN)
@pytest.mark.parametrize(
    ("opcode", "x", "row"),
    [
        *((FYL2X, OPERANDS[name], row) for name, row in LOGARITHMS.items()),
        *((FYL2XP1, MORE_OPERANDS[name], row) for name, row in MORE.items()),
    ],
)
def test_special_operands_of_logarithms(
    opcode: int, x: Raw, row: tuple[object, ...], sign: int
) -> None:
    for y, wanted in zip((INF, TWO, ZERO), row, strict=True):
        ended = do(opcode, given((x, signed(y, sign), ONE)))
        assert ended.stack[1:] == (ONE, *(None,) * 6)
        if wanted is None:
            continue
        if wanted == INVALID:
            assert (ended.stack[0], flags(ended)) == (INDEFINITE, IE)
        elif wanted == DIVIDE:
            assert (ended.stack[0], flags(ended)) == (signed(INF, -sign), ZE)
        else:
            assert isinstance(wanted, tuple)
            assert ended.stack[0] == signed(wanted[0], wanted[1] * sign)
            assert not flags(ended)


@pytest.mark.parametrize("opcode", [FPREM, FPREM1])
@pytest.mark.parametrize(
    ("x", "y", "result", "raised"),
    [
        (INF, ONE, INDEFINITE, IE), (INF, INF, INDEFINITE, IE),
        (ONE, ZERO, INDEFINITE, IE), (ZERO, ZERO, INDEFINITE, IE),
        (ZERO, ONE, ZERO, 0), (minus(ZERO), ONE, minus(ZERO), 0),
        (ONE, INF, ONE, 0), (minus(TWO), ONE, minus(ZERO), 0x4000),
        (DENORMAL, INF, DENORMAL, DE), (QUIET, ZERO, QUIET, 0),
    ],
)  # fmt: skip
def test_special_operands_of_remainders(
    opcode: int, x: Raw, y: Raw, result: Raw, raised: int
) -> None:
    ended = do(opcode, given((x, y)))
    assert (ended.stack[:2], flags(ended)) == ((result, y), raised)


@pytest.mark.parametrize(
    ("x", "y", "result", "raised"),
    [
        (QUIET, OTHER, OTHER, 0), (OTHER, QUIET, OTHER, 0),
        (SIGNALING, QUIET, QUIET, IE), (QUIET, SIGNALING, QUIET, IE),
        (SIGNALING, ONE, (0x7FFF, 0xC000_0000_0000_0005), IE),
        (minus(QUIET), QUIET, QUIET, 0), (QUIET, DENORMAL, QUIET, 0),
        (UNNORMAL, QUIET, INDEFINITE, IE),
    ],
)  # fmt: skip
def test_of_two_nans_the_larger(x: Raw, y: Raw, result: Raw, raised: int) -> None:
    """SDM Vol. 1 "Rules for Handling NaNs"; the positive one of two as large."""
    for opcode in (FPATAN, FYL2X, FYL2XP1):
        ended = do(opcode, given((x, y)))
        assert (ended.stack[0], flags(ended)) == (result, raised)


# Exceptions.


@pytest.mark.parametrize(
    ("opcode", "operands", "mask", "raised"),
    [
        (FSIN, (INF,), IE, IE), (FYL2X, (ZERO, ONE), ZE, ZE),
        (FSIN, (None,), IE, IE | SF),
        (FSIN, (DENORMAL,), DE, DE), (FPATAN, (DENORMAL, ONE), DE, DE),
        (FPTAN, (ONE,) * 8, IE, IE | SF), (FPREM, (ONE, ZERO), IE, IE),
    ],
)  # fmt: skip
def test_an_exception_before_it_leaves_the_operands(
    opcode: int, operands: tuple[Raw | None, ...], mask: int, raised: int
) -> None:
    state = given(operands, NEAREST & ~mask)
    ended = do(opcode, state)
    assert ended.stack == state.stack
    assert flags(ended) & ~C1 == raised | ES | BUSY
    assert bool(ended.fsw & C1) == (len(operands) == 8)


def test_a_full_stack_overflows() -> None:
    for opcode in (FPTAN, FSINCOS):
        ended = do(opcode, given((ONE,) * 8))
        assert ended.stack == (INDEFINITE, INDEFINITE, *(ONE,) * 6)
        assert flags(ended) == IE | SF | C1


LARGEST, LEAST = (0x7FFE, (1 << 64) - 1), (1, 1 << 63)


@pytest.mark.parametrize(
    ("opcode", "operands", "control", "result", "raised"),
    [
        (FYL2X, ((0x4001, 3 << 62), LARGEST), NEAREST, INF, OE | PE | C1),
        (FYL2X, ((0x4001, 3 << 62), LARGEST), CHOP, LARGEST, OE | PE),
        (FYL2X, (TWO, minus(LARGEST)), UP, minus(LARGEST), 0),
        (FYL2X, ((0x4001, 1 << 63), (0x7FFE, 1 << 63)), NEAREST & ~OE,
         (0x7FFF - 24576, 1 << 63), OE | ES | BUSY),  # twice 2**16383, by 2**-24576
        (FSIN, (LEAST,), NEAREST, LEAST, PE | C1),  # tiny is what is so when rounded
        (FSIN, (LEAST,), CHOP, (0, (1 << 63) - 1), UE | PE),
        (FSIN, (DENORMAL,), NEAREST, DENORMAL, DE | UE | PE | C1),
        (FSIN, (DENORMAL,), CHOP, (0, 4), DE | UE | PE),
        (FSIN, (DENORMAL,), NEAREST & ~UE, (0x5FC4, 5 << 61),
         DE | UE | PE | C1 | ES | BUSY),
        (FYL2X, (TWO, DENORMAL), NEAREST, DENORMAL, DE),  # exact: no underflow
        (FSIN, (ONE,), NEAREST & ~PE, (0x3FFE, 0xD76A_A478_4867_7021),
         PE | C1 | ES | BUSY),
        (FPATAN, ((0x7FFE, 1 << 63), LEAST), NEAREST, ZERO, UE | PE),
    ],
)  # fmt: skip
def test_overflow_and_underflow(
    opcode: int, operands: tuple[Raw, ...], control: int, result: Raw, raised: int
) -> None:
    ended = do(opcode, given(operands, control))
    assert (ended.stack[0], flags(ended)) == (result, raised)


# The processor of this host.


def number(random: Random) -> Raw | None:
    """One of each sort, most of them ordinary."""
    sign, kind = random.choice((0, 0x8000)), random.random()
    special: tuple[Raw | None, ...] = (
        (sign, 0), (sign | 0x7FFF, 1 << 63), (sign | 0x3FFF, 1 << 63), None,
        (sign | 0x7FFF, random.getrandbits(63) | 1 << 63),
        (sign, random.getrandbits(random.randint(1, 64))),
        (sign | random.getrandbits(15), random.getrandbits(63)),
        (sign | random.randint(1, 0x7FFE), random.getrandbits(63) | 1 << 63),
    )  # fmt: skip
    if kind < 0.35:
        return random.choice(special)
    significand = random.choice((
        random.getrandbits(63) | 1 << 63, 1 << 63 | random.getrandbits(4),
        (1 << 64) - 1 - random.getrandbits(4),
    ))  # fmt: skip
    return sign | 0x3FFF + random.randint(*(-70, 6) if kind < 0.8 else (-120, 70)), (
        significand
    )


def case(random: Random) -> tuple[int, State]:
    """An instruction and a state, of which the manual leaves no result undefined."""
    opcode = random.choice(ALL)
    stack = [number(random) for _ in range(random.choice((1, 2, 2, 2, 3, 8)))]
    if stack[0] is not None and opcode in {F2XM1, FYL2XP1}:
        upper, significand = stack[0]
        if upper & 0x7FFF != 0x7FFF:
            stack[0] = (upper & 0x8000) | min(upper & 0x7FFF, 0x3FFC), significand
        elif opcode == F2XM1 and significand == 1 << 63:
            stack[0] = ONE
    masks = 0x3F if random.random() < 0.8 else random.getrandbits(6)
    control = 0x340 | masks | random.getrandbits(2) << 10
    codes = random.getrandbits(16) & (C0 | C1 | C2 | C3)
    return opcode, given(tuple(stack), control, codes)


def apart(one: Raw | None, other: Raw | None) -> int | None:
    """Return how many numbers are between; None where that makes no sense."""
    if one is None or other is None or (one[0] ^ other[0]) & 0x8000:
        return None if one != other else 0
    first, second = (
        ((upper & 0x7FFF) << 63) + (m if not upper & 0x7FFF else m & (1 << 63) - 1)
        for upper, m in (one, other)
    )
    return abs(first - second)


def test_20000_instructions_come_to_what_the_host_makes_of_them() -> None:
    """Special operands and flags exactly; what is rounded, within its last bit.

    SDM Vol. 1 "Transcendental Instruction Accuracy" promises no more, and C1 goes with
    that bit. Of exact results AMD's processors say that they are inexact; how far an
    incomplete remainder goes is left open, and flags were compared with AMD's only.
    """
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    random, host, is_amd, known = (
        Random(80),
        native_x87.Native(),
        native_x87.is_amd(),
        0,
    )
    for _ in range(20_000):
        opcode, state = case(random)
        theirs, ours = host.run(bytes((0xD9, opcode)), state), do(opcode, state)
        if theirs == ours:
            continue
        story = f"{opcode:x} of {state}: {theirs} and {ours}"
        if opcode in {FPREM, FPREM1} and ours.fsw & theirs.fsw & C2 and not is_amd:
            continue
        distances = [
            apart(*pair) for pair in zip(theirs.stack, ours.stack, strict=True)
        ]
        assert all(each in {0, 1} for each in distances), story
        may_differ = C1
        if not ours.fsw & PE:
            may_differ |= UE | PE | (0 if state.fcw & PE else ES | BUSY)
        assert not is_amd or not (theirs.fsw ^ ours.fsw) & ~may_differ, story
        assert opcode not in {FPREM, FPREM1} or not is_amd, story
        known += 1
    assert known < 1_000
