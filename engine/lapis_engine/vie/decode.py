"""Instruction bytes to what they mean, for what can move data to and from devices.

Covers the moves (88-8B, 63, A0-A5, AA, AB, C6 /0, C7 /0, 0F B6, B7, BE, BF) and port
I/O (6C-6F, E4-E7, EC-EF) in 16, 32 and 64 bits. Everything else, a form without a
memory operand included, is None, and is left to the processor itself (`native`). Pure;
results are remembered because a guest polls a device with the same few instructions.

Why a decoder of our own beside capstone, which has one: its operand takes 17 us here,
ours 6 us and 0.1 us when it is remembered; and ModRM has to be read for instructions
that nobody has decoded (`reach`). Capstone is for text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lapis_engine.cpu.registers import DS, ES, RAX, RBP, RDI, RSI, RSP, SS
from lapis_engine.vie.fetch import LONGEST
from lapis_engine.vie.prefixes import Cursor, read_prefixes

CACHED = 4096
"""Results remembered a function; a hit costs 0.2 us."""


@dataclass(frozen=True, slots=True)
class RegisterOperand:
    """A general register; `high` is AH, CH, DH or BH of `index` 0 to 3."""

    index: int
    high: bool = False


@dataclass(frozen=True, slots=True)
class MemoryOperand:
    """An effective address: base + index * scale + disp, and a segment."""

    segment: int
    """ES CS SS DS FS GS as 0 to 5, default or override."""
    base: int | None = None
    index: int | None = None
    scale: int = 1
    disp: int = 0
    """Signed displacement, or unsigned offset of A0-A3."""
    rip_relative: bool = False
    """Relative to the end of the instruction."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A decoded move."""

    op: str
    """mov, movzx, movsx (also MOVSXD), movs or stos."""
    bits: int
    """Mode of the code segment: 16, 32 or 64."""
    length: int
    opsize: int
    """Bytes of the destination: 1, 2, 4 or 8."""
    memsize: int
    """Bytes that move to or from memory; less than `opsize` for movzx and movsx."""
    addrsize: int
    """Bytes of the effective address: 2, 4 or 8."""
    mem: MemoryOperand
    """For movs the source (rSI), for stos the destination (rDI)."""
    load: bool
    """Memory to register; False is a store. A movs is both and says True."""
    reg: RegisterOperand | None = None
    immediate: int | None = None
    """Sign-extended, then cut to `opsize`."""
    rep: bool = False
    repne: bool = False

    @property
    def repeats(self) -> bool:
        """Repeat by rCX: either prefix does that to MOVS and STOS."""
        return self.rep or self.repne


# What an opcode is: operation, load, size of memory operand (0 is the operand size).
_MODRM: Final = {
    0x88: ("mov", False, 1),
    0x89: ("mov", False, 0),
    0x8A: ("mov", True, 1),
    0x8B: ("mov", True, 0),
    0xC6: ("mov", False, 1),
    0xC7: ("mov", False, 0),
    0x63: ("movsx", True, 4),
    0x0FB6: ("movzx", True, 1),
    0x0FB7: ("movzx", True, 2),
    0x0FBE: ("movsx", True, 1),
    0x0FBF: ("movsx", True, 2),
}
_STRINGS: Final = {0xA4: "movs", 0xA5: "movs", 0xAA: "stos", 0xAB: "stos"}
_BX, _BP, _SI, _DI = 3, 5, 6, 7
_FORMS_16: Final = (
    (_BX, _SI), (_BX, _DI), (_BP, _SI), (_BP, _DI),
    (_SI, None), (_DI, None), (_BP, None), (_BX, None),
)  # fmt: skip
"""SDM Vol. 2A "16-Bit Addressing Forms with the ModR/M Byte", by r/m."""


@lru_cache(maxsize=CACHED)
def decode(code: bytes, bits: int) -> Instruction | None:
    """Return the move at the start of `code`, or None for any other instruction."""
    try:
        at = read_prefixes(code[:LONGEST], bits)
        return None if at.lock else _decode(at)
    except IndexError:  # the bytes end before the instruction does
        return None


def _decode(at: Cursor) -> Instruction | None:
    opcode = at.byte()
    if opcode == 0x0F:
        opcode = 0x0F00 | at.byte()
    if opcode in _MODRM:
        return _modrm(at, opcode)
    if opcode in _STRINGS:
        return _string(at, opcode)
    if 0xA0 <= opcode <= 0xA3:
        return _offset(at, opcode)
    return None


def _modrm(at: Cursor, opcode: int) -> Instruction | None:
    op, load, memsize = _MODRM[opcode]
    modrm = at.byte()
    immediate_form = opcode in {0xC6, 0xC7}
    if modrm >= 0xC0 or (immediate_form and modrm & 0x38):
        return None  # no memory operand; XABORT, XBEGIN and undefined
    if opcode == 0x63:
        if at.bits != 64:
            return None  # ARPL
        memsize = min(4, at.opsize)
    opsize = 1 if op == "mov" and memsize == 1 else at.opsize
    mem = memory_operand(at, modrm)
    reg = None if immediate_form else _register(at, modrm, opsize)
    immediate = _immediate(at, opsize) if immediate_form else None
    return Instruction(
        op, at.bits, at.pos, opsize, memsize or opsize, at.addrsize, mem, load,
        reg, immediate, at.rep, at.repne,
    )  # fmt: skip


def _register(at: Cursor, modrm: int, size: int) -> RegisterOperand:
    index = (modrm >> 3) & 7
    if size == 1 and not at.rex and index >= 4:
        return RegisterOperand(index - 4, high=True)
    return RegisterOperand(index | ((at.rex & 4) << 1))


def _immediate(at: Cursor, opsize: int) -> int:
    value = at.signed(min(opsize, 4))
    return value & ((1 << (8 * opsize)) - 1)


def _string(at: Cursor, opcode: int) -> Instruction:
    op = _STRINGS[opcode]
    size = at.opsize if opcode & 1 else 1
    if op == "movs":
        mem = MemoryOperand(at.segment_or(DS), base=RSI)
        reg = None
    else:
        mem = MemoryOperand(ES, base=RDI)
        reg = RegisterOperand(RAX)
    return Instruction(
        op, at.bits, at.pos, size, size, at.addrsize, mem, op == "movs",
        reg, None, at.rep, at.repne,
    )  # fmt: skip


def _offset(at: Cursor, opcode: int) -> Instruction:
    size = at.opsize if opcode & 1 else 1
    mem = MemoryOperand(at.segment_or(DS), disp=at.unsigned(at.addrsize))
    return Instruction(
        "mov", at.bits, at.pos, size, size, at.addrsize, mem, opcode < 0xA2,
        RegisterOperand(RAX), None, at.rep, at.repne,
    )  # fmt: skip


def memory_operand(at: Cursor, modrm: int) -> MemoryOperand:
    """Take SIB and displacement; `modrm` names memory, whatever the opcode."""
    if at.addrsize == 2:
        return _memory_16(at, modrm)
    mod, rm = modrm >> 6, modrm & 7
    if rm == 4:
        return _sib(at, mod)
    if mod == 0 and rm == 5:
        relative = at.bits == 64
        disp = at.signed(4)
        return MemoryOperand(at.segment_or(DS), disp=disp, rip_relative=relative)
    base = rm | ((at.rex & 1) << 3)
    segment = at.segment_or(SS if base == RBP else DS)
    return MemoryOperand(segment, base, disp=_displacement(at, mod, 4))


def _sib(at: Cursor, mod: int) -> MemoryOperand:
    sib = at.byte()
    index: int | None = ((sib >> 3) & 7) | ((at.rex & 2) << 2)
    if index == RSP:
        index = None
    base: int | None = (sib & 7) | ((at.rex & 1) << 3)
    if mod == 0 and sib & 7 == 5:
        base, mod = None, 2
    segment = at.segment_or(SS if base in {RSP, RBP} else DS)
    return MemoryOperand(
        segment, base, index, 1 << (sib >> 6), _displacement(at, mod, 4)
    )


def _memory_16(at: Cursor, modrm: int) -> MemoryOperand:
    mod, rm = modrm >> 6, modrm & 7
    if mod == 0 and rm == 6:
        return MemoryOperand(at.segment_or(DS), disp=at.signed(2))
    base, index = _FORMS_16[rm]
    segment = at.segment_or(SS if base == _BP else DS)
    return MemoryOperand(segment, base, index, disp=_displacement(at, mod, 2))


def _displacement(at: Cursor, mod: int, wide: int) -> int:
    if mod == 0:
        return 0
    return at.signed(1 if mod == 1 else wide)
