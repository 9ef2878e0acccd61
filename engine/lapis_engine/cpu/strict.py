"""Which instructions are marked for checks that cost too much to be always made.

Alignment of SSE operands, and limits and types of segments: the processor underneath
checks neither. What is marked is decided when code is translated; which code that is
depends on the mode, and on whether a segment is limited at all (`HF_LIMITED`).
# Not modelled: limits of what far calls, far returns, interrupts and IRET push and pop
in real mode and virtual-8086 mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import layout
from lapis_engine.cpu.marked import (
    GROUP_5,
    LONGEST,
    OPSIZE,
    REGISTERS,
    REP,
    TWO_BYTE,
    Kind,
    Mark,
    prefixes,
)
from lapis_engine.cpu.registers import DS, ES, SEG_FLAT, SEG_KIND, SS, TF

if TYPE_CHECKING:
    from lapis_engine.cpu.layout import Head

ALONE: Final = 0
REPNE: Final = 0xF2
"""Mandatory prefixes of SSE; 0 is none (SDM Vol. 2A "Instruction Prefixes")."""
ALIGNED: Final = {
    ALONE: frozenset(
        {0x14, 0x15, 0x28, 0x29, 0x2B, 0x5B, 0xC2, 0xC6}
        | {*range(0x51, 0x5A), *range(0x5C, 0x60)}
    ),
    OPSIZE: frozenset(
        {0x14, 0x15, 0x28, 0x29, 0x2B, 0x2C, 0x2D, 0x7C, 0x7D, 0x7F, 0xC2, 0xC6}
        | {*range(0x51, 0x6E), 0x6F, 0x70, 0x74, 0x75, 0x76}
        | {*range(0xD0, 0xF0), *range(0xF1, 0xF7), *range(0xF8, 0xFF)} - {0xD6, 0xD7}
    ),
    REPNE: frozenset({0x70, 0x7C, 0x7D, 0xD0, 0xE6}),
    REP: frozenset({0x12, 0x16, 0x5B, 0x70}),
}
"""Mandatory prefix -> opcodes after 0F with a 16-byte operand that must be aligned.

SDM Vol. 2 "Exceptions Type 1, 2 and 4" of the forms without VEX: all but the moves that
are called unaligned, and what reads fewer bytes."""
ALIGNED_38: Final = frozenset(
    {*range(0x0C), 0x10, 0x14, 0x15, 0x17, 0x1C, 0x1D, 0x1E, 0x28, 0x29, 0x2A, 0x2B}
    | {*range(0x37, 0x42), *range(0xDB, 0xE0)}
)
"""After 66 0F 38."""
ALIGNED_3A: Final = frozenset({8, 9, *range(0x0C, 0x10), 0x40, 0x41, 0x42, 0x44, 0xDF})
"""After 66 0F 3A. The string comparisons take any address."""
SHA: Final = range(0xC8, 0xCE)
"""After 0F 38, without a prefix; 0F 3A CC beside them."""
IMMEDIATE: Final = frozenset({0x70, 0xC2, 0xC6})
"""Opcodes after 0F that a byte ends; all after 0F 3A have one."""

MODRM: Final = frozenset(
    {code for code in range(0x40) if code & 7 < 4}
    | {0x62, 0x63, 0x69, 0x6B, *range(0x80, 0x90), 0xC0, 0xC1, *range(0xC4, 0xC8)}
    | {*range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xF6, 0xF7, 0xFE, 0xFF}
) - {0x8D}
"""Opcodes of one byte that access what ModRM names; LEA does not."""
NO_MODRM: Final = frozenset(
    {0x00, 0x01, 0x0D, *range(5, 0x0C), 0x0E, *range(0x18, 0x28), *range(0x30, 0x38)}
    | {0x77, *range(0x80, 0x90), 0xA0, 0xA1, 0xA2, 0xA8, 0xA9, 0xAA}
    | {*range(0xC8, 0xD0)}
)
"""Opcodes after 0F that do not, or whose operand has checks of its own."""
BYTE_SIZED: Final = frozenset(
    {code for code in range(0x40) if code & 5 == 0}
    | {0x80, 0x82, 0x84, 0x86, 0x88, 0x8A, 0xA0, 0xA2, 0xC0, 0xC6, 0xD0, 0xD2}
    | {0xF6, 0xFE}
)
"""Opcodes of one byte with an operand of one."""
OFFSET: Final = range(0xA0, 0xA4)
"""MOV between AL or eAX and an offset in the instruction."""
LOADS: Final = frozenset({0x07, 0x17, 0x1F, 0x8E, 0xC4, 0xC5})
"""Loads of ES, SS and DS: afterwards another segment may be limited."""
LSS: Final = 0xB2
FAR_LOADS: Final = frozenset({LSS, 0xB4, 0xB5})
"""LSS, LFS and LGS, behind 0F."""
FAR: Final = frozenset({3, 5})
"""ModRM.reg behind FF: far CALL and JMP."""
XLAT: Final = 0xD7
STRINGS: Final = frozenset({*range(0x6C, 0x70), *range(0xA4, 0xA8), *range(0xAA, 0xB0)})
"""INS, OUTS, MOVS, CMPS, STOS, LODS and SCAS."""
READS_SOURCE: Final = frozenset({0x6E, 0x6F, *range(0xA4, 0xA8), 0xAC, 0xAD})
HAS_DESTINATION: Final = STRINGS - {0x6E, 0x6F, 0xAC, 0xAD}
WRITES: Final = frozenset({0x6C, 0x6D, 0xA4, 0xA5, 0xAA, 0xAB})
PUSHES: Final = frozenset(
    {0x06, 0x0E, 0x16, 0x1E, *range(0x50, 0x58), 0x60, 0x68, 0x6A, 0x9C, 0xC8, 0xE8}
)
"""PUSH, PUSHA, PUSHF, ENTER and CALL."""
POPS: Final = frozenset(
    {0x07, 0x17, 0x1F, *range(0x58, 0x60), 0x61, 0x8F, 0x9D, 0xC2, 0xC3, 0xC9}
)
"""POP, POPA, POPF, RET and LEAVE."""
POP_MODRM: Final = 0x8F
PUSHES_REG: Final = frozenset({2, 6})
"""ModRM.reg behind FF: CALL and PUSH."""
PREFIXED: Final = frozenset({0x2E, 0x64, 0x65})
"""CS, FS and GS, which `is_limited` does not look at."""
FAR_FROM_END: Final = 0x1_0000 - 512
"""Offsets below are within 64 KiB, whatever is there: FXSAVE is the longest."""


def is_push(code: bytes, at: int) -> bool:
    """Tell whether the instruction writes to the stack, not far, and no interrupt."""
    opcode = code[at]
    if opcode == TWO_BYTE:
        return code[at + 1] in {0xA0, 0xA8}
    if opcode == GROUP_5[0]:
        return code[at + 1] >> 3 & 7 in PUSHES_REG
    return opcode in PUSHES


def is_pop(code: bytes, at: int) -> bool:
    """Tell whether the instruction reads from the stack, not far, and no IRET."""
    if code[at] == TWO_BYTE:
        return code[at + 1] in {0xA1, 0xA9}
    return code[at] in POPS


def is_limited(head: Head) -> bool:
    """Tell whether ES, SS or DS is anything but writable data of 4 GiB."""
    segs = head.segs
    return any(
        segs[index].limit != 0xFFFF_FFFF or segs[index].flags & SEG_KIND != SEG_FLAT
        for index in (ES, SS, DS)
    )


def is_narrow(head: Head) -> bool:
    """Tell whether it is at 16-bit code."""
    return not head.hflags & (layout.HF_CS64 | layout.HF_CS32)


def translated_as(head: Head) -> int:
    """Return the hflags by which code is marked: TF and limits are among them."""
    limited = layout.HF_LIMITED if is_limited(head) else 0
    hflags: int = head.hflags | head.eflags & TF | limited
    return hflags


def look(
    code: bytes, bits: int, hflags: int, *, usual: bool = False, at: int = 0
) -> Mark | None:
    """Return the instruction at the begin of `code` if it has to be checked.

    What is `usual` is checked by every machine but one without checks; `at` is its
    linear address.
    """
    if not code:
        return None
    opcode_at, _ = prefixes(code, bits)
    try:
        if usual:
            is_marked = _is_usual(code, opcode_at, bits, hflags) and not (
                bits == 64 and _is_aligned_constant(code, opcode_at, at)
            )
        else:
            is_marked = bool(alignment(code, opcode_at)) or (
                bits != 64 and _is_limited_access(code, opcode_at, bits, hflags)
            )
    except IndexError:
        return Mark(Kind.UNTOLD, opcode_at, code) if len(code) < LONGEST else None
    return Mark(Kind.STRICT, opcode_at, code) if is_marked else None


def _is_aligned_constant(code: bytes, opcode_at: int, linear: int) -> bool:
    """Tell whether the operand is relative to RIP, and aligned wherever it is met."""
    modrm_at = opcode_at + (3 if code[opcode_at + 1] in {0x38, 0x3A} else 2)
    if code[modrm_at] & 0xC7 != RELATIVE or not PREFIXED.isdisjoint(code[:opcode_at]):
        return False
    end = modrm_at + 5
    if end > len(code):
        raise IndexError(end)
    offset = int.from_bytes(code[modrm_at + 1 : end], "little")
    return not (linear + end + immediate(code, opcode_at) + offset) % 16


def _is_usual(code: bytes, at: int, bits: int, hflags: int) -> bool:
    """Tell whether the instruction is seldom met, and its operand may break a rule.

    Aligned operands of SSE at CPL 0; in 16-bit code of real mode and virtual-8086 mode
    an offset that reaches beyond 64 KiB, and what an address of 32 bits names.
    """
    if not hflags & layout.HF_CPL and alignment(code, at):
        return True
    if bits != 16 or not hflags & layout.HF_LIMITED or is_protected(hflags):
        return False
    opcode, narrow = code[at], ADDRESS not in code[:at]
    if opcode in OFFSET:
        size = 2 if narrow else 4
        offset = int.from_bytes(code[at + 1 : at + 1 + size], "little")
        return offset >= FAR_FROM_END
    accesses = opcode in MODRM
    if opcode == TWO_BYTE:
        accesses, at = code[at + 1] not in NO_MODRM, at + 1
    if not accesses or code[at + 1] >= REGISTERS:
        return False
    if not narrow:
        return True
    offset = int.from_bytes(code[at + 2 : at + 4], "little")
    return code[at + 1] & 0xC7 == 6 and offset >= FAR_FROM_END


def is_protected(hflags: int) -> bool:
    """Tell whether it is neither real mode nor virtual-8086 mode."""
    return hflags & (layout.HF_PE | layout.HF_VM) == layout.HF_PE


def is_exempt(linear: int) -> bool:
    """Tell whether firmware is there, of whose 16-bit code no limit is usual.

    SeaBIOS has an address of 32 bits in every second instruction.
    """
    return linear in FIRMWARE


RELATIVE: Final = 0x05
"""ModRM, without reg, of an operand relative to RIP in 64-bit code."""
FIRMWARE: Final = range(0xC_0000, 0x10_0000)
ADDRESS: Final = 0x67
USUAL_0: Final = frozenset().union(*ALIGNED.values(), {0x38, 0x3A})
USUAL_16: Final = MODRM | frozenset(OFFSET), frozenset(range(256)) - NO_MODRM
"""Opcodes behind 0F that are usual at CPL 0; of one byte and behind 0F in 16 bits."""


def alignment(code: bytes, at: int) -> int:
    """Return how the memory operand must be aligned; 0 if it need not be.

    `at` is where the opcode begins; raises IndexError if it is not all there.
    """
    if code[at] != TWO_BYTE:
        return 0
    opcode, before = code[at + 1], code[:at]
    prefix = REP if REP in before else REPNE if REPNE in before else ALONE
    if prefix == ALONE and OPSIZE in before:
        prefix = OPSIZE
    if opcode in {0x38, 0x3A}:
        third = code[at + 2]
        found = _three_bytes(opcode, third, prefix)
        at += 1
    else:
        found = opcode in ALIGNED[prefix]
    return 16 if found and code[at + 2] < REGISTERS else 0


def _three_bytes(opcode: int, third: int, prefix: int) -> bool:
    if prefix == OPSIZE:
        return third in (ALIGNED_38 if opcode == 0x38 else ALIGNED_3A)
    return prefix == ALONE and (third in SHA if opcode == 0x38 else third == 0xCC)


def immediate(code: bytes, at: int) -> int:
    """Return how many bytes follow the operand of an aligned instruction."""
    return int(code[at + 1] == 0x3A or code[at + 1] in IMMEDIATE)


def _is_limited_access(code: bytes, at: int, bits: int, hflags: int) -> bool:
    """Tell whether the instruction may reach beyond a limit, or load a segment."""
    opcode, before = code[at], code[:at]
    protected = hflags & layout.HF_PE and not hflags & layout.HF_VM
    is_load = opcode in LOADS or (opcode == TWO_BYTE and code[at + 1] == LSS)
    if protected and is_load:
        return True
    if not hflags & layout.HF_LIMITED and PREFIXED.isdisjoint(before):
        return False
    is_string = opcode == XLAT or opcode in STRINGS
    if is_string or is_push(code, at) or is_pop(code, at):
        return True
    narrow = (bits == 16) != (0x67 in before)
    if opcode in OFFSET:
        size = 2 if narrow else 4
        offset = int.from_bytes(code[at + 1 : at + 1 + size], "little")
        return bool(protected) or offset >= FAR_FROM_END
    accesses = opcode in MODRM
    if opcode == TWO_BYTE:
        accesses, at = code[at + 1] not in NO_MODRM, at + 1
    if not accesses or code[at + 1] >= REGISTERS:
        return False
    if protected or not narrow:
        return True
    if code[at + 1] & 0xC7 == 6:  # an offset
        return int.from_bytes(code[at + 2 : at + 4], "little") >= FAR_FROM_END
    return opcode == TWO_BYTE or opcode not in BYTE_SIZED
