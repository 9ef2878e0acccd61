"""Carrying out an instruction: the stack, special operands, exceptions and FSW.

SDM Vol. 1 "x87 FPU Floating-Point Exception Handling", "x87 FPU Status Register".
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.x87 import operations, remainder, scaling
from lapis_engine.cpu.x87.number import INDEFINITE, Number, Sort, nan_of, sort_of
from lapis_engine.cpu.x87.operations import INVALID, Answer
from lapis_engine.cpu.x87.rounding import DE, IE, OE, PE, UE, ZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.layout import X87State

SF: Final = 0x40
ES: Final = 0x80
BUSY: Final = 0x8000
C0: Final = 0x100
C1: Final = 0x200
C2: Final = 0x400
C3: Final = 0x4000
"""Bits of FSW, beside the exceptions."""
MASKS: Final = IE | DE | ZE | OE | UE | PE
BEFORE: Final = IE | DE | ZE
"""Exceptions that leave the operands as they were, unless they are masked."""


class Effect(Enum):
    """Where the result goes."""

    REPLACE = auto()
    """ST0."""
    POP = auto()
    """ST1, which becomes ST0."""
    PUSH = auto()
    """ST0, and one more above it."""
    LOAD = auto()
    """A new ST0."""


class Operation(NamedTuple):
    """An instruction with one operand, or two: x in ST0 and y in ST1."""

    operands: int
    effect: Effect
    perform: Callable[..., Answer]
    """Of the operands and FCW."""
    codes: int
    """Condition codes that it sets; it leaves the others."""


PUSHES: Final = frozenset({Effect.PUSH, Effect.LOAD})
CIRCLE: Final = C1 | C2
INSTRUCTIONS: Final = {
    0xE9: Operation(0, Effect.LOAD, scaling.constant(*scaling.LOG_2_10), C1),
    0xEA: Operation(0, Effect.LOAD, scaling.constant(*scaling.LOG_2_E), C1),
    0xEB: Operation(0, Effect.LOAD, scaling.constant(*scaling.PI), C1),
    0xEC: Operation(0, Effect.LOAD, scaling.constant(*scaling.LOG_10_2), C1),
    0xED: Operation(0, Effect.LOAD, scaling.constant(*scaling.LOG_E_2), C1),
    0xF0: Operation(1, Effect.REPLACE, operations.power_less_one, C1),
    0xF1: Operation(2, Effect.POP, operations.logarithm, C1),
    0xF2: Operation(1, Effect.PUSH, operations.tangent, CIRCLE),
    0xF3: Operation(2, Effect.POP, operations.angle, C1),
    0xF4: Operation(1, Effect.PUSH, scaling.extracted, C1),
    0xF5: Operation(2, Effect.REPLACE, remainder.nearest, CIRCLE),
    0xF8: Operation(2, Effect.REPLACE, remainder.chopped, CIRCLE),
    0xF9: Operation(2, Effect.POP, operations.logarithm_of_more, C1),
    0xFB: Operation(1, Effect.PUSH, operations.sine_and_cosine, CIRCLE),
    0xFD: Operation(2, Effect.REPLACE, scaling.scaled, C1),
    0xFE: Operation(1, Effect.REPLACE, operations.sine, CIRCLE),
    0xFF: Operation(1, Effect.REPLACE, operations.cosine, CIRCLE),
}
"""Second byte of an opcode whose first is D9 -> what it does."""


def carry_out(fpu: X87State, opcode: int) -> None:
    """Do the instruction D9 `opcode`, all of it but FIP, FCS and what comes after."""
    instruction = INSTRUCTIONS[opcode]
    places = [(fpu.top + n) & 7 for n in range(instruction.operands)]
    above, codes = (fpu.top - 1) & 7, 0
    if any(fpu.empty[place] for place in places):
        answer = Answer((INDEFINITE,), IE | SF)
    elif instruction.effect in PUSHES and not fpu.empty[above]:
        answer, codes = Answer((INDEFINITE,), IE | SF), C1
    else:
        answer = _answer(instruction, [_read(fpu, place) for place in places], fpu.fcw)
        codes = _codes(answer)
    sets = instruction.codes if answer.quotient is None else C0 | C1 | C2 | C3
    fsw = fpu.fsw & ~sets | codes & sets | answer.flags
    fpu.fsw = fsw | (ES | BUSY if fsw & ~fpu.fcw & MASKS else 0)
    if answer.numbers and not answer.flags & ~fpu.fcw & BEFORE:
        _put(fpu, instruction.effect, answer.numbers)


def _answer(instruction: Operation, operands: list[Number], control: int) -> Answer:
    """Return what it comes to, with the flag of denormal operands."""
    kinds = {sort_of(operand) for operand in operands}
    if Sort.UNSUPPORTED in kinds:
        return INVALID
    if kinds & {Sort.QUIET, Sort.SIGNALING}:
        flags = IE if Sort.SIGNALING in kinds else 0
        return Answer((nan_of(tuple(operands)),), flags)
    answer = instruction.perform(*operands, control)
    if Sort.DENORMAL not in kinds or answer.flags & (IE | ZE):
        return answer
    if not control & DE:
        return Answer((), DE)
    return answer._replace(flags=answer.flags | DE)


def _codes(answer: Answer) -> int:
    """Return the condition codes of an answer."""
    if answer.quotient is None:
        return (C1 if answer.is_up else 0) | (C2 if answer.is_partial else 0)
    codes = C2 if answer.is_partial else 0
    for bit, code in ((4, C0), (2, C3), (1, C1)):
        codes |= code if answer.quotient & bit else 0
    return codes


def _read(fpu: X87State, place: int) -> Number:
    slot = fpu.slots[place]
    return Number(slot.upper >> 15, slot.upper & 0x7FFF, slot.significand)


def _write(fpu: X87State, place: int, number: Number) -> None:
    slot = fpu.slots[place]
    slot.significand = number.significand
    slot.upper = number.sign << 15 | number.exponent
    fpu.empty[place] = 0


def _put(fpu: X87State, effect: Effect, numbers: tuple[Number, ...]) -> None:
    """Write the results; one alone is both of a pair."""
    if effect is Effect.POP:
        fpu.empty[fpu.top] = 1
        fpu.top = (fpu.top + 1) & 7
    if effect is not Effect.LOAD:
        _write(fpu, fpu.top, numbers[0])
    if effect in PUSHES:
        fpu.top = (fpu.top - 1) & 7
        _write(fpu, fpu.top, numbers[-1])
