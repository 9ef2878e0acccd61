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

from functools import lru_cache
from typing import Final

from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.registers import DS, ES, RAX, RBP, RDI, RSI, RSP, SS
from lapis_engine.vie.instruction import (
    Instruction,
    MemoryOperand,
    PortInstruction,
    RegisterOperand,
)
from lapis_engine.vie.prefixes import Cursor, read_prefixes

CACHED: Final = 4096
"""Results remembered a function; a hit costs 0.2 us."""


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
_BX: Final = 3
_BP: Final = 5
_SI: Final = 6
_DI: Final = 7
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


# Port I/O.

_PORT_IMMEDIATE: Final = range(0xE4, 0xE8)
_PORT_STRING: Final = range(0x6C, 0x70)
_PORT_OPCODES: Final = frozenset({*_PORT_IMMEDIATE, *_PORT_STRING, *range(0xEC, 0xF0)})


@lru_cache(maxsize=256)
def decode_port(code: bytes, bits: int) -> PortInstruction | None:
    """Return the port instruction at the start of `code`, or None for any other."""
    try:
        at = read_prefixes(code[:LONGEST], bits)
        opcode = at.byte()
        if at.lock or opcode not in _PORT_OPCODES:
            return None
        return _port(at, opcode)
    except IndexError:  # the bytes end before the instruction does
        return None


def _port(at: Cursor, opcode: int) -> PortInstruction:
    string = opcode in _PORT_STRING
    port = at.byte() if opcode in _PORT_IMMEDIATE else None
    return PortInstruction(
        bits=at.bits,
        length=at.pos,
        opsize=min(at.opsize, 4) if opcode & 1 else 1,
        addrsize=at.addrsize,
        read=not opcode & 2,
        string=string,
        port=port,
        segment=at.segment_or(DS),
        repeats=string and (at.rep or at.repne),
    )
