"""Port I/O: IN, OUT, INS and OUTS, carried out.

One element is one access; REP goes on by `iterate`. Whether the guest may use the
port at all (IOPL, the TSS bitmap) is for the caller to have checked.
# Not modelled: the processor underneath stores 0 where INS will put its element before
it reports the port, so that memory holds 0 there while the request waits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import ES, RAX, RDI, RDX, RSI
from lapis_engine.units import PAGE
from lapis_engine.vie import pieces
from lapis_engine.vie.operands import (
    SIZE_MASK,
    advance,
    crosses_page,
    set_register,
    step_index,
    string_address,
)
from lapis_engine.vie.pending import port_in, port_out
from lapis_engine.vie.pieces import Missing, absorb
from lapis_engine.vie.repeat import Progress, Result, iterate

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.instruction import PortInstruction
    from lapis_engine.vie.state import VieState
    from lapis_engine.vie.world import AnyBus, LinearMemory, PortBus


def emulate_port(  # noqa: PLR0913 - the last four are how, not what
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: AnyBus,
    *,
    keeps_upper_rax: bool,
    limit: int = 1,
    devices: bool = False,
    stopped: Callable[[], bool] = bool,
) -> Progress:
    """Carry out the port instruction that `start_inout` put into `state`.

    `keeps_upper_rax` leaves RAX[63:8] or [63:16] alone on a narrow IN, as processors
    do; without it RAX[63:32] become 0 (bhyve `vie_emulate_inout_port`). `limit` bounds
    the iterations of a REP, and `stopped` ends it early. The memory side of INS and
    OUTS may be a device with `devices`, else it must be memory as in bhyve. Raises
    `GuestFault` with the state reset.
    """
    instruction = state.port
    assert instruction is not None, "no port instruction was started"
    if instruction.string:
        if devices:
            move = _ins_anywhere if instruction.read else _outs_anywhere
        else:
            move = _ins if instruction.read else _outs
        one = partial(move, state, regs, linear, bus, instruction)
        return iterate(state, regs, instruction, limit, one, stopped=stopped)
    if not _plain(state, regs, bus, instruction, keeps_upper_rax=keeps_upper_rax):
        return Progress(Result.PENDING, 0)
    advance(regs, instruction.bits, instruction.length)
    state.reset()
    return Progress(Result.DONE, 1)


def _port(regs: Registers, instruction: PortInstruction) -> int:
    if instruction.port is None:
        return regs.gpr[RDX] & 0xFFFF
    return instruction.port


def _plain(
    state: VieState,
    regs: Registers,
    bus: PortBus,
    instruction: PortInstruction,
    *,
    keeps_upper_rax: bool,
) -> bool:
    gpr, size, port = regs.gpr, instruction.opsize, _port(regs, instruction)
    if not instruction.read:
        return port_out(state, bus, port, size, gpr[RAX] & SIZE_MASK[size])
    value = port_in(state, bus, port, size)
    if value is None:
        return False
    set_register(gpr, RAX, size, value)
    if not keeps_upper_rax:
        # As bhyve: the 32-bit carrier `eax` replaces all of RAX.
        gpr[RAX] &= 0xFFFF_FFFF
    return True


def _ins(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: PortBus,
    instruction: PortInstruction,
) -> Result:
    size, user = instruction.opsize, regs.cpl == 3
    address = string_address(regs, instruction, ES, RDI, size)
    # Faults come before the port is read, which may have side effects.
    linear.translate(address, write=True, user=user)
    if crosses_page(address, size):
        linear.translate((address | (PAGE - 1)) + 1, write=True, user=user)
    try:
        linear.read(address, size, user=user)  # is it memory at all?
        value = port_in(state, bus, _port(regs, instruction), size)
        if value is None:
            return Result.PENDING
        linear.write(address, value.to_bytes(size, "little"), user=user)
    except LinearHole as hole:
        if not hole.write:
            # As bhyve: the memory side of INS and OUTS must be memory.
            return Result.UNHANDLED
    step_index(regs, instruction, RDI, size)
    return Result.DONE


def _outs(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: PortBus,
    instruction: PortInstruction,
) -> Result:
    size = instruction.opsize
    address = string_address(regs, instruction, instruction.segment, RSI, size)
    try:
        data = linear.read(address, size, user=regs.cpl == 3)
    except LinearHole:
        return Result.UNHANDLED
    value = int.from_bytes(data, "little")
    if not port_out(state, bus, _port(regs, instruction), size, value):
        return Result.PENDING
    step_index(regs, instruction, RSI, size)
    return Result.DONE


def _ins_anywhere(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: AnyBus,
    instruction: PortInstruction,
) -> Result:
    size, user = instruction.opsize, regs.cpl == 3
    address = string_address(regs, instruction, ES, RDI, size)
    absorb(state)
    pieces.check_store(linear, address, size, user=user)
    value = port_in(state, bus, _port(regs, instruction), size)
    if value is None:
        return Result.PENDING
    data = value.to_bytes(size, "little")
    try:
        pieces.store(state, linear, bus, address, data, user=user)
    except Missing:
        return Result.PENDING
    step_index(regs, instruction, RDI, size)
    return Result.DONE


def _outs_anywhere(
    state: VieState,
    regs: Registers,
    linear: LinearMemory,
    bus: AnyBus,
    instruction: PortInstruction,
) -> Result:
    size = instruction.opsize
    address = string_address(regs, instruction, instruction.segment, RSI, size)
    absorb(state)
    try:
        value = pieces.load(state, linear, bus, address, size, user=regs.cpl == 3)
    except Missing:
        return Result.PENDING
    if not port_out(state, bus, _port(regs, instruction), size, value):
        return Result.PENDING
    step_index(regs, instruction, RSI, size)
    return Result.DONE
