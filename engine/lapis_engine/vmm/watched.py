"""What of a guest's watched data and ports an instruction hits that the engine does.

Of what the processor does it tells by itself (`cpu.guest_stops`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.debug_registers import armed
from lapis_engine.cpu.registers import ES, RDI, RDX, RSI
from lapis_engine.vie.operands import SIZE_MASK, linear_address, operand_offset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.instruction import Instruction, PortInstruction
    from lapis_engine.vmm.vcpu import Vcpu

BY_PROCESSOR: Final = 1 << 4
"""No bit of DR6: the processor carries the instruction out, and tells."""
PORTS_MASK: Final = 0xFFFF

Access = tuple[str, int, int]
"""("read", "write" or "io"; linear address or port; bytes)."""
HIT_BY: Final = {"read": {"access"}, "write": {"access", "write"}, "io": {"io"}}


def hits(vcpu: Vcpu) -> int:
    """Return what the instruction in `vie` will hit, in bits 3:0 of DR6.

    Before it is done: it may change the registers that its operands are found by.
    """
    regs, state = vcpu.regs, vcpu.vie
    if not regs.is_armed:
        return 0
    if state.port is not None:
        accesses = _of_port(regs, state.port)
    elif state.instruction is not None:
        accesses = _of_move(regs, state.instruction)
    else:
        return BY_PROCESSOR
    found = 0
    for how, first, size in accesses:
        for it in armed(regs):
            if it.what in HIT_BY[how] and it.touches(first, size):
                found |= 1 << it.number
    return found


def _of_port(regs: Registers, it: PortInstruction) -> Iterator[Access]:
    port = regs.gpr[RDX] & PORTS_MASK if it.port is None else it.port
    yield "io", port, it.opsize
    if it.string:
        segment, index = (ES, RDI) if it.read else (it.segment, RSI)
        at = _string(regs, it, segment, index)
        yield "write" if it.read else "read", at, it.opsize


def _of_move(regs: Registers, it: Instruction) -> Iterator[Access]:
    if it.op in {"movs", "stos"}:
        if it.op == "movs":
            yield "read", _string(regs, it, it.mem.segment, RSI), it.memsize
        yield "write", _string(regs, it, ES, RDI), it.memsize
        return
    offset = operand_offset(regs, it.mem, it.addrsize, it.length)
    at = linear_address(regs, it.bits, it.mem.segment, offset)
    yield "read" if it.load else "write", at, it.memsize


def _string(
    regs: Registers, it: Instruction | PortInstruction, segment: int, index: int
) -> int:
    offset = regs.gpr[index] & SIZE_MASK[it.addrsize]
    return linear_address(regs, it.bits, segment, offset)
