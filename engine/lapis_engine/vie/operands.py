"""Addresses and registers as operands: widths, merges, wraps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import DF, FS, RDI, RF
from lapis_engine.units import PAGE
from lapis_engine.vie.checks import Operand, check

if TYPE_CHECKING:
    from ctypes import Array, c_uint64

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.instruction import MemoryOperand
    from lapis_engine.vie.world import Stringlike

SIZE_MASK: Final = (0, 0xFF, 0xFFFF, 0, 0xFFFF_FFFF, 0, 0, 0, (1 << 64) - 1)
"""By size in bytes."""
RIP_MASK: Final = {16: 0xFFFF, 32: 0xFFFF_FFFF, 64: (1 << 64) - 1}
"""By mode of the code segment."""


def set_register(gpr: Array[c_uint64], index: int, size: int, value: int) -> None:
    """Write the low `size` bytes of a register as an instruction does.

    4 bytes clear the upper half, 1 and 2 leave the rest (SDM Vol. 1 "General-Purpose
    Registers in 64-Bit Mode").
    """
    mask = SIZE_MASK[size]
    if size >= 4:
        gpr[index] = value & mask
    else:
        gpr[index] = (gpr[index] & ~mask) | (value & mask)


def set_high(gpr: Array[c_uint64], index: int, value: int) -> None:
    """Write AH, CH, DH or BH."""
    gpr[index] = (gpr[index] & ~0xFF00) | ((value & 0xFF) << 8)


def operand_offset(
    regs: Registers, mem: MemoryOperand, addrsize: int, length: int
) -> int:
    """Return the offset of `mem` in its segment."""
    gpr = regs.gpr
    offset = mem.disp
    if mem.base is not None:
        offset += gpr[mem.base]
    if mem.index is not None:
        offset += gpr[mem.index] * mem.scale
    if mem.rip_relative:
        offset += regs.rip + length
    return offset & SIZE_MASK[addrsize]


def string_address(
    regs: Registers, instruction: Stringlike, segment: int, index: int, size: int
) -> int:
    """Return the linear address in `segment` that rSI or rDI holds.

    Raises `GuestFault` when `size` bytes cannot be accessed there; rDI is written.
    """
    offset = regs.gpr[index] & SIZE_MASK[instruction.addrsize]
    check(regs, Operand(segment, offset), size, write=index == RDI)
    return linear_address(regs, instruction.bits, segment, offset)


def linear_address(regs: Registers, bits: int, segment: int, offset: int) -> int:
    """Return what `offset` in a segment is in linear memory."""
    if bits == 64:
        if segment < FS:
            return offset
        return (offset + regs.base(segment)) & SIZE_MASK[8]
    return (offset + regs.base(segment)) & SIZE_MASK[4]


def crosses_page(address: int, size: int) -> bool:
    """Whether `size` bytes from `address` lie in two pages."""
    return (address & (PAGE - 1)) + size > PAGE


def step_index(regs: Registers, instruction: Stringlike, index: int, size: int) -> None:
    """Move rSI or rDI by one element, down when RFLAGS.DF is set."""
    step = -size if regs.rflags & DF else size
    set_register(regs.gpr, index, instruction.addrsize, regs.gpr[index] + step)


def advance(regs: Registers, bits: int, length: int) -> None:
    """Step over an instruction that is done (bhyve `vie_advance_pc`).

    The shadow of STI or MOV SS ends with it, and so does RF.
    """
    regs.rip = (regs.rip + length) & RIP_MASK[bits]
    if regs.shadow:
        regs.shadow = False
    if regs.rflags & RF:
        regs.rflags &= ~RF
