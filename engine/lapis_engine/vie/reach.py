"""Which linear addresses an instruction may access, without knowing the instruction.

Whatever the opcode, its explicit operand is where ModRM says, and its implicit ones are
where the index and stack registers point. More addresses than it has operands come
out; which of them counts is for the caller to find by what the processor did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.disasm import memory_access
from lapis_engine.cpu.fault import GP, SS_
from lapis_engine.cpu.marked import LONGEST, VEX2, VEX3
from lapis_engine.cpu.registers import DS, ES, RAX, RBP, RBX, RDI, RSI, RSP, SS
from lapis_engine.units import PAGE
from lapis_engine.vie.checks import HIGHEST_HOLE, LOWEST_HOLE, Operand
from lapis_engine.vie.decode import memory_operand
from lapis_engine.vie.operands import SIZE_MASK, linear_address, operand_offset
from lapis_engine.vie.prefixes import Cursor, read_prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.world import Peeker

STRINGS: Final = frozenset({*range(0xA4, 0xA8), *range(0xAA, 0xB0)})
"""MOVS, CMPS, STOS, LODS and SCAS."""
STACK: Final = frozenset(
    {
        *(*range(0x50, 0x60), 0x68, 0x6A, 0x8F, 0x9C, 0x9D),
        *(0xC2, 0xC3, 0xC8, 0xC9, 0xCA, 0xCB, 0xCF, 0xE8),
    }
)
"""PUSH, POP, PUSHF, POPF, RET, ENTER, LEAVE, far RET, IRET and CALL."""
GROUP_5: Final = 0xFF
LEAVE: Final = 0xC9
ESCAPES: Final = (0x38, 0x3A)
"""Second bytes behind 0F that a third opcode byte follows."""


def page_beyond(regs: Registers, code: bytes, linear: Peeker, gpa: int) -> int | None:
    """Return the gpa of the page that follows the one of an access at `gpa`.

    None when the page behind it is not mapped, or the instruction has no address near.
    Where several linear pages are the same memory, the access is in the one that has an
    address of the instruction nearest to it: a push begins below its stack pointer.
    """
    limit = SIZE_MASK[8] if regs.code_bits == 64 else SIZE_MASK[4]
    page = gpa - gpa % PAGE
    near = [
        address + (gpa - address + PAGE // 2) % PAGE - PAGE // 2
        for address in addresses(regs, code)
    ]
    far = [at + step for at in addresses(regs, code) for step in (0, -PAGE, PAGE)]
    for at in (*near, *far):
        start = (at & limit) & ~(PAGE - 1)
        if linear.peek(start) == page:
            return linear.peek((start + PAGE) & limit)
    return None


def operands(regs: Registers, code: bytes) -> Iterator[Operand]:
    """Yield the operands that are named, or those of a string instruction."""
    try:
        at = read_prefixes(code[:LONGEST], regs.code_bits)
        opcode = at.code[at.pos]
    except IndexError:
        return
    if opcode in STRINGS:
        gpr, mask = regs.gpr, SIZE_MASK[at.addrsize]
        yield Operand(at.segment_or(DS), gpr[RSI] & mask)
        yield Operand(ES, gpr[RDI] & mask)
        return
    found = _explicit(regs, at)
    if found is not None:
        yield found[0]


def begins_at(regs: Registers, code: bytes, linear: Peeker, gpa: int) -> bool:
    """Tell whether an operand begins at `gpa`, at the start of a page.

    Else what was reported there may be the second half of an access that began in the
    page before it.
    """
    return any(
        linear.peek(linear_address(regs, regs.code_bits, *operand)) == gpa
        for operand in operands(regs, code)
    )


def exact_vector(regs: Registers, code: bytes, vector: int, error: int | None) -> int:
    """Return #SS where the processor underneath reports #GP for a stack access.

    It reports #GP(0) for every address that is not canonical (SDM Vol. 1 "Canonical
    Addressing": a reference that implies the stack segment is #SS(0)). What has no
    operand in memory is #GP for a reason of its own, whatever bytes follow it.
    """
    if vector != GP or error or regs.code_bits != 64:
        return vector
    places: list[Operand] = []
    if memory_access(bytes(code[:LONGEST]), regs.code_bits) is not None:
        places = [at for at in operands(regs, code) if at.segment == SS]
    if uses_stack(code):
        # LEAVE pops from where RBP points, all others are at RSP or just below it.
        top = regs.gpr[RBP if LEAVE in code[:2] else RSP]
        places += [Operand(SS, at & SIZE_MASK[8]) for at in (top, top - 8)]
    broken = any(LOWEST_HOLE <= at.offset <= HIGHEST_HOLE for at in places)
    return SS_ if broken else vector


def uses_stack(code: bytes) -> bool:
    """Tell whether 64-bit code accesses the stack without naming it."""
    try:
        at = read_prefixes(code[:LONGEST], 64)
        opcode = at.byte()
        if opcode == GROUP_5:
            return (at.byte() >> 3) & 7 in {2, 6}  # CALL and PUSH
    except IndexError:
        return False
    return opcode in STACK


def addresses(regs: Registers, code: bytes) -> Iterator[int]:
    """Yield the linear addresses, the explicit operand first."""
    try:
        at = read_prefixes(code[:LONGEST], regs.code_bits)
    except IndexError:
        return
    found = _explicit(regs, at)
    gpr, mask, bits = regs.gpr, SIZE_MASK[at.addrsize], at.bits
    if found is not None:
        address = linear_address(regs, bits, *found[0])
        yield address
        # Behind it there may be an immediate, which a relative operand counts from, and
        # in front a string of bits, which a register indexes.
        yield address + LONGEST
        yield address + found[1]
    segment = at.segment_or(DS)
    yield linear_address(regs, bits, segment, gpr[RSI] & mask)
    yield linear_address(regs, bits, ES, gpr[RDI] & mask)
    yield linear_address(regs, bits, SS, gpr[RSP])
    yield linear_address(regs, bits, SS, gpr[RBP])
    yield linear_address(regs, bits, segment, (gpr[RBX] + (gpr[RAX] & 0xFF)) & mask)


def _explicit(regs: Registers, at: Cursor) -> tuple[Operand, int] | None:
    """Return what ModRM, or the offset in the instruction, names.

    With it goes how far from there a string of bits would be indexed, in bytes.
    """
    try:
        opcode = at.byte()
        if 0xA0 <= opcode <= 0xA3:
            return Operand(at.segment_or(DS), at.unsigned(at.addrsize)), 0
        _skip_opcode(at, opcode)
        modrm = at.byte()
        if modrm >= 0xC0:
            return None
        mem = memory_operand(at, modrm)
    except IndexError:
        return None
    operand = Operand(mem.segment, operand_offset(regs, mem, at.addrsize, at.pos))
    bit = regs.gpr[(modrm >> 3) & 7 | (at.rex & 4) << 1] & SIZE_MASK[at.opsize]
    sign = (SIZE_MASK[at.opsize] >> 1) + 1
    return operand, ((bit ^ sign) - sign) >> 3


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
