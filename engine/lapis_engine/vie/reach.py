"""Which linear addresses an instruction may access, without knowing the instruction.

Whatever the opcode, its explicit operand is where ModRM says, and its implicit ones are
where the index and stack registers point. More addresses than it has operands come
out; which of them counts is for the caller to find by what the processor did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import DS, ES, RAX, RBP, RBX, RDI, RSI, RSP, SS
from lapis_engine.vie.decode import memory_operand
from lapis_engine.vie.fetch import LONGEST, PAGE
from lapis_engine.vie.operands import SIZE_MASK, linear_address, operand_address
from lapis_engine.vie.prefixes import Cursor, read_prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.protocols import Peeker

VEX3: Final = 0xC4
VEX2: Final = 0xC5
ESCAPES: Final = (0x38, 0x3A)
"""Second bytes behind 0F that a third opcode byte follows."""


def page_beyond(regs: Registers, code: bytes, linear: Peeker, page: int) -> int | None:
    """Return the gpa of the page that follows `page` where the instruction reaches.

    None when the page behind it is not mapped, or none of its addresses is in `page`.
    """
    limit = SIZE_MASK[8] if regs.code_bits == 64 else SIZE_MASK[4]
    for address in addresses(regs, code):
        for at in (address, address - PAGE, address + PAGE):
            start = (at & limit) & ~(PAGE - 1)
            if linear.peek(start) == page:
                return linear.peek((start + PAGE) & limit)
    return None


def addresses(regs: Registers, code: bytes) -> Iterator[int]:
    """Yield the linear addresses, the explicit operand first."""
    try:
        at = read_prefixes(code[:LONGEST], regs.code_bits)
    except IndexError:
        return
    segment = at.segment_or(DS)
    yield from _explicit(regs, at)
    gpr, mask, bits = regs.gpr, SIZE_MASK[at.addrsize], at.bits
    yield linear_address(regs, bits, segment, gpr[RSI] & mask)
    yield linear_address(regs, bits, ES, gpr[RDI] & mask)
    yield linear_address(regs, bits, SS, gpr[RSP])
    yield linear_address(regs, bits, SS, gpr[RBP])
    yield linear_address(regs, bits, segment, (gpr[RBX] + (gpr[RAX] & 0xFF)) & mask)


def _explicit(regs: Registers, at: Cursor) -> Iterator[int]:
    """Yield what ModRM, or the offset in the instruction, names."""
    try:
        opcode = at.byte()
        if 0xA0 <= opcode <= 0xA3:
            offset = at.unsigned(at.addrsize)
            yield linear_address(regs, at.bits, at.segment_or(DS), offset)
            return
        _skip_opcode(at, opcode)
        modrm = at.byte()
        if modrm >= 0xC0:
            return
        operand = memory_operand(at, modrm)
    except IndexError:
        return
    address = operand_address(regs, operand, at.addrsize, at.bits, at.pos)
    yield address
    # Behind it there may be an immediate, which a relative operand counts from, and in
    # front a string of bits, which a register indexes.
    yield address + LONGEST
    bit = regs.gpr[(modrm >> 3) & 7 | (at.rex & 4) << 1] & SIZE_MASK[at.opsize]
    sign = (SIZE_MASK[at.opsize] >> 1) + 1
    yield address + (((bit ^ sign) - sign) >> 3)


def _skip_opcode(at: Cursor, opcode: int) -> None:
    """Go on to ModRM, past what is left of the opcode."""
    if opcode in {VEX2, VEX3} and (at.bits == 64 or at.code[at.pos] >= 0xC0):
        first = at.byte()
        if opcode == VEX3:
            at.byte()
            at.rex = ~first >> 5 & 7
        at.byte()
    elif opcode == 0x0F and at.byte() in ESCAPES:
        at.byte()
