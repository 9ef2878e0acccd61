"""REP: the iterations of a string instruction, and how an emulation ends."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.registers import RCX
from lapis_engine.vie.operands import SIZE_MASK, advance, set_register
from lapis_engine.vie.pending import fall_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.state import VieState
    from lapis_engine.vie.world import Stringlike


class Result(enum.Enum):
    """How far the instruction got."""

    DONE = "done"
    """All of it; RIP is on the next one and the state is reset."""
    PENDING = "pending"
    """The user owes an answer; the present iteration has had no effect yet."""
    REPEAT = "repeat"
    """REP with iterations left; RIP is on it and the state is reset."""
    UNHANDLED = "unhandled"
    """INST_EMUL is owed; the present iteration has had no effect yet."""


class Progress(NamedTuple):
    """A result and how much was done on the way to it."""

    result: Result
    iterations: int
    """REP iterations applied by this call; 1 for a plain instruction that is done."""


def iterate(
    state: VieState,
    regs: Registers,
    instruction: Stringlike,
    limit: int,
    one: Callable[[], Result],
    many: Callable[[int], int] | None = None,
    stopped: Callable[[], bool] = bool,
) -> Progress:
    """Repeat `one` by rCX, at most `limit` times, at least once.

    A rCX of zero makes the instruction a no-op. A fault after the first iteration, or
    one that is not handled, is left to the next call (REPEAT), so that the count of
    iterations is never lost. `many` does up to so many iterations at once, or none
    (`bulk`). `stopped` is asked between any two, and after it no further one is begun.
    """
    if not instruction.repeats:
        return _single(state, regs, instruction, one)
    mask, gpr, done = SIZE_MASK[instruction.addrsize], regs.gpr, 0
    while count := gpr[RCX] & mask:
        if done and (done >= limit or stopped()):
            return _again(state, done)
        if many is not None:
            n = many(min(limit - done, count))
            if n < 0 and done:
                return _again(state, done)
            if n > 0:
                done += n
                continue
            many = None
        result = _guarded(state, one, raises=not done)
        if result is Result.REPEAT or (result is Result.UNHANDLED and done):
            return _again(state, done)
        if result is not Result.DONE:
            return Progress(result, done)
        set_register(gpr, RCX, instruction.addrsize, count - 1)
        state.clear_requests()
        done += 1
    advance(regs, instruction.bits, instruction.length)
    state.reset()
    return Progress(Result.DONE, done)


def _single(
    state: VieState,
    regs: Registers,
    instruction: Stringlike,
    one: Callable[[], Result],
) -> Progress:
    result = _guarded(state, one, raises=True)
    if result is not Result.DONE:
        return Progress(result, 0)
    advance(regs, instruction.bits, instruction.length)
    state.reset()
    return Progress(result, 1)


def _guarded(state: VieState, one: Callable[[], Result], *, raises: bool) -> Result:
    try:
        result = one()
    except GuestFault:
        state.reset()
        if raises:
            raise
        return Result.REPEAT
    if result is Result.UNHANDLED:
        fall_back(state)
    return result


def _again(state: VieState, done: int) -> Progress:
    state.reset()
    return Progress(Result.REPEAT, done)
