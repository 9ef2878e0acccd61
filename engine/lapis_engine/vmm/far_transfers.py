"""What the processor underneath does not check of a far JMP, CALL or RET.

SDM Vol. 2A "JMP", "CALL", Vol. 2B "RET": L and D of the new code segment, and its
limit. All else it checks itself, and it makes the transfer, but for one to a task.
# Not modelled: RET of 32 bits in 64-bit code with a stack above 4 GiB, of which the
# address is cut. CALL to 64-bit code beyond the segment's limit, which means nothing
# there and is #GP all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import OpenBus, stack_mask
from lapis_engine.cpu.fault import GP, GuestFault
from lapis_engine.cpu.marked import FAR_DIRECT, FAR_RET
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import EFER_LMA, RSP, SEG_DB, SEG_L, SS
from lapis_engine.cpu.tasks import Way
from lapis_engine.units import MASK32
from lapis_engine.vie import reach
from lapis_engine.vie.decode import memory_operand
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vmm import task_switches

if TYPE_CHECKING:
    from lapis_engine.cpu.descriptors import Descriptor
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vmm.vm import Run

SELECTOR: Final = 0xFFFF
CALL_DIRECT: Final = 0x9A
JMP_DIRECT: Final = 0xEA
CALL_FAR: Final = 3
"""ModRM.reg, behind FF; JMP is 5."""


def perform(run: Run, mark: Mark) -> bool:
    """Switch to another task, or owe the guest a fault that the processor would not.

    False leaves the instruction to the processor.
    """
    try:
        return _perform(run, mark)
    except GuestFault as fault:
        run.vm.raise_fault(run.vcpu, fault)
        return True


def _perform(run: Run, mark: Mark) -> bool:
    regs, opcode = run.vcpu.regs, mark.code[mark.opcode_at : mark.opcode_at + 1]
    bus = OpenBus(run.vcpu.linear)
    target = _target(regs, bus, mark)
    if target is None or descriptors.is_null(target[0]):
        return False
    selector, offset = target
    if opcode not in FAR_RET:
        way, length = _way(regs, mark)
        if task_switches.by_far(run, selector, way, length):
            return True
    _check(regs, bus, selector, offset, is_ret=opcode in FAR_RET)
    return False


def _way(regs: Registers, mark: Mark) -> tuple[Way, int]:
    """Tell CALL from JMP, and how long it is."""
    at = read_prefixes(mark.code, regs.code_bits)
    opcode = at.byte()
    if opcode in {CALL_DIRECT, JMP_DIRECT}:
        way = Way.CALL if opcode == CALL_DIRECT else Way.JMP
        return way, at.pos + at.opsize + 2
    modrm = at.byte()
    memory_operand(at, modrm)
    return Way.CALL if modrm >> 3 & 7 == CALL_FAR else Way.JMP, at.pos


def _check(
    regs: Registers, bus: OpenBus, selector: int, offset: int, *, is_ret: bool
) -> None:
    """Raise #GP for the target's descriptor, if the processor would not."""
    found = descriptors.find(regs, bus, selector)
    if found is None or not found.code:
        return
    if regs.efer & EFER_LMA and found.high & SEG_L:
        if found.high & SEG_DB:
            rule = Breach.CODE_L_AND_D
            raise GuestFault(GP, selector & 0xFFFC, rule=rule, values=(selector,))
        return
    allowed = _is_allowed(found, regs.cpl, selector & 3, is_ret=is_ret)
    if allowed and found.present and offset > found.segment.limit:
        values = selector, offset, found.segment.limit
        raise GuestFault(GP, 0, rule=Breach.CODE_LIMIT, values=values)


def _is_allowed(found: Descriptor, cpl: int, rpl: int, *, is_ret: bool) -> bool:
    """Tell whether privilege allows the transfer to a code segment."""
    allowed = rpl >= cpl if is_ret else rpl <= cpl or found.conforming
    level = rpl if is_ret else cpl
    same = found.dpl <= level if found.conforming else found.dpl == level
    return allowed and same


def _target(regs: Registers, bus: OpenBus, mark: Mark) -> tuple[int, int] | None:
    """Return selector and offset of the target, or None if they cannot be read.

    Raises the #PF of a RET at CPL 3.
    """
    code, at = mark.code, mark.opcode_at
    size = read_prefixes(code, regs.code_bits).opsize
    opcode = code[at : at + 1]
    if opcode in FAR_DIRECT:
        raw = int.from_bytes(code[at + 1 : at + 3 + size], "little")
        return raw >> 8 * size & SELECTOR, raw & ((1 << 8 * size) - 1)
    if opcode in FAR_RET:
        place = _top(regs)
    else:
        operand = next(reach.operands(regs, code), None)
        if operand is None:
            return None
        place = linear_address(regs, regs.code_bits, *operand)
    user = regs.cpl == 3
    try:
        offset = bus.read(place, size, user=user)
        return bus.read(place + size, 2, user=user), offset
    except GuestFault:
        if user and opcode in FAR_RET and is_canonical(place):
            raise  # the processor would read the stack as a supervisor
        return None


def _top(regs: Registers) -> int:
    """Return the linear address of the top of the stack."""
    if regs.code_bits == 64:
        return int(regs.gpr[RSP])
    stack = regs.segment(SS)
    return (stack.base + (regs.gpr[RSP] & stack_mask(stack))) & MASK32
