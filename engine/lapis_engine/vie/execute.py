"""Carry out a move that touched a device, or suspend it untouched.

Every value is obtained before anything is applied. After an answer the instruction
is run again from its start, with the answer in its slot (bhyve `vie_emulate_mmio`).
The linear half of a MOV is not walked again: the processor has just done that, and
reports the guest-physical address; only string instructions, which have two sides
and further iterations, are translated here.

An access that begins in one page and meets a hole in the other is UNHANDLED, and then
left to the processor (`native`).
# Not modelled: of a store that begins in memory and ends in a device, the processor
underneath has made the first half before it reports the second.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import ES, RAX, RDI, RSI
from lapis_engine.units import PAGE
from lapis_engine.vie.bulk import many
from lapis_engine.vie.checks import Operand, check, is_aligned_mode
from lapis_engine.vie.operands import (
    SIZE_MASK,
    advance,
    crosses_page,
    linear_address,
    operand_offset,
    set_high,
    set_register,
    step_index,
    string_address,
)
from lapis_engine.vie.pending import fall_back, mmio_read, mmio_write
from lapis_engine.vie.repeat import Progress, Result, iterate

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.instruction import Instruction
    from lapis_engine.vie.state import VieState
    from lapis_engine.vie.world import LinearMemory, MmioBus

_OFFSET: Final = PAGE - 1
_TOP: Final = 1 << 32
_DONE: Final = Progress(Result.DONE, 1)
_PENDING: Final = Progress(Result.PENDING, 0)
_UNHANDLED: Final = Progress(Result.UNHANDLED, 0)


def emulate(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: MmioBus,
    limit: int = 1,
    stopped: Callable[[], bool] = bool,
) -> Progress:
    """Carry out the instruction that `start_mmio` put into `state`.

    `limit` bounds the iterations of a REP, and `stopped` ends it early. Raises
    `GuestFault` with the state reset and nothing applied but iterations that had been
    completed by earlier calls.
    """
    instruction = state.instruction
    assert instruction is not None, "no instruction was started"
    if instruction.op in _STRINGS:
        move = _STRINGS[instruction.op]
        one = partial(move, state, regs, linear, bus, instruction)
        several = None
        if instruction.repeats and limit > 1:

            def several(n: int) -> int:
                return many(state, regs, linear, bus, instruction, n, stopped)

        return iterate(state, regs, instruction, limit, one, several, stopped)
    size, bits = instruction.memsize, instruction.bits
    mem = instruction.mem
    offset = operand_offset(regs, mem, instruction.addrsize, instruction.length)
    address = linear_address(regs, bits, mem.segment, offset)
    if (address ^ state.gpa) & _OFFSET or (address & _OFFSET) + size > PAGE:
        fall_back(state)  # as a mismatch in bhyve's `vie_verify_gla`
        return _UNHANDLED
    if bits != 64 or is_aligned_mode(regs):  # the rest the processor has checked
        flat = regs.is_flat(mem.segment) and offset + size <= _TOP
        if not flat or regs.cpl == 3:
            _check(state, regs, Operand(mem.segment, offset), instruction)
    move_one = _load if instruction.load else _store
    if not move_one(state, regs, bus, instruction):
        return _PENDING
    advance(regs, instruction.bits, instruction.length)
    state.reset()
    return _DONE


def _check(
    state: VieState, regs: Registers, operand: Operand, instruction: Instruction
) -> None:
    try:
        check(regs, operand, instruction.memsize, write=not instruction.load)
    except GuestFault:
        state.reset()
        raise


def _load(
    state: VieState, regs: Registers, bus: MmioBus, instruction: Instruction
) -> bool:
    size, reg = instruction.memsize, instruction.reg
    assert reg is not None, instruction
    value = mmio_read(state, bus, state.gpa, size)
    if value is None:
        return False
    if instruction.op == "movsx":
        sign = 1 << (8 * size - 1)
        value = (value ^ sign) - sign
    if reg.high:
        set_high(regs.gpr, reg.index, value)
    else:
        set_register(regs.gpr, reg.index, instruction.opsize, value)
    return True


def _store(
    state: VieState, regs: Registers, bus: MmioBus, instruction: Instruction
) -> bool:
    size, reg = instruction.memsize, instruction.reg
    if reg is None:
        assert instruction.immediate is not None, instruction
        value = instruction.immediate
    else:
        value = regs.gpr[reg.index] >> (8 if reg.high else 0)
    return mmio_write(state, bus, state.gpa, size, value & SIZE_MASK[size])


def _movs(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: MmioBus,
    instruction: Instruction,
) -> Result:
    size, user = instruction.memsize, regs.cpl == 3
    source = string_address(regs, instruction, instruction.mem.segment, RSI, size)
    target = string_address(regs, instruction, ES, RDI, size)
    try:
        data = linear.read(source, size, user=user)
    except LinearHole as hole:
        if crosses_page(source, size):
            return Result.UNHANDLED
        # A fault of the target comes before the device is read.
        linear.translate(target, write=True, user=user)
        value = mmio_read(state, bus, hole.gpa, size)
        if value is None:
            return Result.PENDING
        data = value.to_bytes(size, "little")
    result = _put(state, linear, bus, target, data, user=user)
    if result is Result.DONE:
        step_index(regs, instruction, RSI, size)
        step_index(regs, instruction, RDI, size)
    return result


def _stos(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: MmioBus,
    instruction: Instruction,
) -> Result:
    size = instruction.memsize
    target = string_address(regs, instruction, ES, RDI, size)
    data = (regs.gpr[RAX] & SIZE_MASK[size]).to_bytes(size, "little")
    result = _put(state, linear, bus, target, data, user=regs.cpl == 3)
    if result is Result.DONE:
        step_index(regs, instruction, RDI, size)
    return result


def _put(
    state: VieState,
    linear: LinearMemory,
    bus: MmioBus,
    target: int,
    data: bytes,
    *,
    user: bool,
) -> Result:
    size = len(data)
    try:
        linear.write(target, data, user=user)
    except LinearHole as hole:
        if crosses_page(target, size):
            return Result.UNHANDLED
        value = int.from_bytes(data, "little")
        if not mmio_write(state, bus, hole.gpa, size, value):
            return Result.PENDING
    return Result.DONE


_STRINGS: Final = {"movs": _movs, "stos": _stos}
