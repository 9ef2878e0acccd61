"""Which instructions the processor must not carry out as it would.

By their bytes alone: what is wrong with each, and what is done in its place, is the
business of `vmm.marked`. A row more here, and a handler there, is all that another one
takes.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a compiled `Offer` looks it up
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple

LEGACY: Final = frozenset({0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF2, 0xF3})
"""Prefixes but LOCK and REX (SDM Vol. 2A "Instruction Prefixes")."""
LOCK: Final = 0xF0
OPSIZE: Final = 0x66
HLT: Final = b"\xf4"
PUSHF: Final = b"\x9c"
IRET: Final = b"\xcf"
NOP: Final = b"\x90"
GROUP_5: Final = b"\xff"
FAR_RET: Final = frozenset({b"\xca", b"\xcb"})
FAR_DIRECT: Final = frozenset({b"\x9a", b"\xea"})
REX: Final = frozenset(range(0x40, 0x50))
REP: Final = 0xF3
REPEATS: Final = frozenset({0xF2, REP})
STRINGS: Final = frozenset(
    bytes([code])
    for code in (*range(0x6C, 0x70), *range(0xA4, 0xA8), *range(0xAA, 0xB0))
)
"""INS, OUTS, MOVS, CMPS, STOS, LODS and SCAS."""
TWO_BYTE: Final = 0x0F
REGISTERS: Final = 0xC0
"""ModRM from here on names a register, and no memory."""
LONGEST: Final = 15
"""Bytes of an instruction (SDM Vol. 2A "Instruction Format")."""


class Kind(Enum):
    """Why an instruction is marked."""

    LOCK = auto()
    """LOCK stands before what cannot be locked."""
    ICEBP = auto()
    SYSTEM_CALL = auto()
    """SYSCALL, SYSRET, SYSENTER or SYSEXIT."""
    NULL_SS = auto()
    """LSS in 64-bit code, where a null selector has its rule."""
    MOV_SS = auto()
    """MOV to SS or POP SS, whose shadow is another one than that of STI."""
    TASK_OR_LDT = auto()
    """LTR or LLDT."""
    TABLE_BASE = auto()
    """LGDT or LIDT in 64-bit code, of a base that must be canonical."""
    SMSW = auto()
    """SMSW to a register."""
    PUSHF_V86 = auto()
    """PUSHFD in virtual-8086 mode, which must not show VM."""
    FAR = auto()
    """A far JMP, CALL or RET in protected mode."""
    IRET = auto()
    """In protected mode, where it has checks, and tasks to return to."""
    PAUSE = auto()
    """Under RFLAGS.TF, of which the processor forgets the trap behind it."""
    STRICT = auto()
    """It is checked by a strict machine alone (`strict`)."""
    NOT_OFFERED = auto()
    """CPUID does not offer it."""
    RDPMC = auto()
    XSETBV = auto()
    SCAN = auto()
    """TZCNT or LZCNT, which is BSF or BSR without them."""
    LOOP = auto()
    """LOOPE or LOOPNE, which spoils the flags on its way out."""
    LOCKED_NEG = auto()
    """LOCK NEG, of which the flags are those of the operand before."""
    EXPLICIT_LENGTH = auto()
    """PCMPESTRI or PCMPESTRM, which takes a length that is less than none."""
    TWICE = auto()
    """PHADD or PHSUB of a register and itself, which reads what it has written."""
    LOADS_MXCSR = auto()
    """LDMXCSR, FXRSTOR or XRSTOR."""
    STORES_MXCSR = auto()
    """STMXCSR, FXSAVE, XSAVE or XSAVEOPT."""
    X87 = auto()
    """An instruction of x87 that the engine does itself (`x87`)."""
    HINT = auto()
    """A hint that does nothing, and that the processor underneath does not know."""
    FRAME = auto()
    """ENTER, which asks whether the stack can be written where it will end."""
    EXCHANGE = auto()
    """CMPXCHG of a register, which is as it was when it is not equal."""
    BMI = auto()
    """BLSI and its kin, BZHI or PDEP, of which some have results that are wrong."""
    TO_INTEGER = auto()
    """FISTTP or FBSTP, of what may not fit."""
    UNTOLD = auto()
    """Too little of it is there to say: the rest is in the next page."""


class Mark(NamedTuple):
    """A marked instruction."""

    kind: Kind
    opcode_at: int
    """Bytes of prefixes, which stand before the opcode."""
    code: bytes
    """The instruction, and what follows it."""


EITHER: Final = {code for first in range(0, 0x38, 8) for code in (first, first + 1)}
ONE_LOCKABLE: Final = {
    **dict.fromkeys(EITHER, range(8)),  # ADD OR ADC SBB AND SUB XOR
    **dict.fromkeys((0x80, 0x81, 0x82, 0x83), range(7)),  # the same, less CMP
    **dict.fromkeys((0x86, 0x87), range(8)),  # XCHG
    **dict.fromkeys((0xF6, 0xF7), (2, 3)),  # NOT NEG
    **dict.fromkeys((0xFE, 0xFF), (0, 1)),  # INC DEC
}
TWO_LOCKABLE: Final = {
    **dict.fromkeys((0xAB, 0xB3, 0xBB), range(8)),  # BTS BTR BTC
    0xBA: (5, 6, 7),  # the same
    **dict.fromkeys((0xB0, 0xB1), range(8)),  # CMPXCHG
    **dict.fromkeys((0xC0, 0xC1), range(8)),  # XADD
    0xC7: (1,),  # CMPXCHG8B CMPXCHG16B
}
"""Opcode -> ModRM.reg: what takes LOCK, with memory (SDM Vol. 2A "LOCK")."""

ONE: Final = {0x17: Kind.MOV_SS, 0xF1: Kind.ICEBP, 0xE0: Kind.LOOP, 0xE1: Kind.LOOP}
"""Opcode of one byte -> why it is marked."""
TWO: Final[dict[int, Kind]] = {
    **dict.fromkeys((0x05, 0x07, 0x34, 0x35), Kind.SYSTEM_CALL),
    0xB2: Kind.NULL_SS,  # LSS
}
"""Opcode after 0F -> why it is marked."""
ONE_GROUPS: Final = {(0x8E, 2): Kind.MOV_SS}
"""(Opcode of one byte, ModRM.reg) -> why it is marked."""
TWO_GROUPS: Final = {
    (0x00, 2): Kind.TASK_OR_LDT,
    (0x00, 3): Kind.TASK_OR_LDT,
}
"""(Opcode after 0F, ModRM.reg) -> why it is marked."""
FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, XSAVE, XRSTOR, XSAVEOPT = range(7)
"""ModRM.reg behind 0F AE, with memory; 6 with 66 is CLWB."""
TWO_MEMORY: Final = {
    (0x01, 2): Kind.TABLE_BASE,
    (0x01, 3): Kind.TABLE_BASE,
    **{(0xAE, reg): Kind.LOADS_MXCSR for reg in (FXRSTOR, LDMXCSR, XRSTOR)},
    **{(0xAE, reg): Kind.STORES_MXCSR for reg in (FXSAVE, STMXCSR, XSAVE, XSAVEOPT)},
}
TWO_REGISTER: Final = {(0x01, 4): Kind.SMSW}
"""The same, for the forms with memory, or without it, alone."""
THREE: Final = {
    **dict.fromkeys(((0x3A, 0x60), (0x3A, 0x61)), Kind.EXPLICIT_LENGTH),
    **{(0x38, code): Kind.TWICE for code in (1, 2, 3, 5, 6, 7)},
}
"""Second and third byte of an opcode -> why it is marked."""
ESCAPES: Final = frozenset(escape for escape, _ in THREE)
X87: Final = 0xD9
X87_MARKED: Final = frozenset(
    {*range(0xE9, 0xEE), *range(0xF0, 0xF6), 0xF8, 0xF9, 0xFB, 0xFD, 0xFE, 0xFF}
)
"""FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2, F2XM1 FYL2X FPTAN FPATAN FXTRACT FPREM1, FPREM
FYL2XP1 FSINCOS FSCALE FSIN FCOS, behind D9."""
NEG: Final = 3
"""ModRM.reg, behind F6 and F7."""
GROUPED: Final = (
    frozenset(code for code, _ in ONE_GROUPS),
    frozenset(code for code, _ in (*TWO_GROUPS, *TWO_MEMORY, *TWO_REGISTER)),
)
ONLY_64: Final = frozenset({Kind.NULL_SS, Kind.TABLE_BASE})
"""What is marked in 64-bit code alone."""
FIRST_BYTES: Final = {
    bits: LEGACY
    | {LOCK, TWO_BYTE, X87, *ONE, *GROUPED[0]}
    | (REX if bits == 64 else set())
    for bits in (16, 32, 64)
}
"""First bytes of an instruction that may be a marked one, by the bits of CS."""


class Row(NamedTuple):
    """What tells an instruction, beside its opcode."""

    kind: Kind
    prefixes: tuple[int, ...] | None
    """66, F2, F3 that select it, 0 for none of these; None for any."""
    reg: tuple[int, ...] | None
    form: str | None
    """memory or register."""
    rm: int | None
    """ModRM.rm."""
    rex_w: bool
    only_64: bool


class Offer(NamedTuple):
    """What is marked on the processor of one model (`cpu.model.instructions`)."""

    rows: Mapping[tuple[int, int], tuple[Row, ...]]
    """(Map, opcode) -> rows."""
    first: frozenset[int]
    """Opcodes of one byte that are in `rows`, or are VEX prefixes."""
    vex: Mapping[tuple[int, int, int], Kind | None]
    """Map, opcode and pp (0, 1, 2, 3 for none, 66, F3, F2) of what is there with a VEX
    prefix -> why it is marked all the same."""


NO_OFFER: Final = Offer({}, frozenset(), {})
"""Marks nothing."""
THREE_BYTE: Final = frozenset({0x38, 0x3A})
VEX2: Final = 0xC5
VEX3: Final = 0xC4
RORX: Final = 3, 0xF0, 3
VVVV: Final = 0x78
"""All ones where VEX names no second source."""
VEX_LES: Final = 0xC0
"""Outside 64-bit code these are LDS and LES, of a ModRM below."""


def candidates(offer: Offer) -> tuple[frozenset[int], frozenset[int]]:
    """Return the opcodes of one byte and those after 0F that may be marked.

    Without LOCK none but these are, or HLT: for a look that costs less.
    """
    one = {X87, HLT[0], PUSHF[0], IRET[0], GROUP_5[0], *ONE, *GROUPED[0], *offer.first}
    one.update(code[0] for code in FAR_RET | FAR_DIRECT)
    two = {*TWO, *GROUPED[1], *ESCAPES, *THREE_BYTE}
    for table, opcode in offer.rows:
        if table in {1, 2}:
            (one if table == 1 else two).add(opcode)
    return frozenset(one), frozenset(two)


def look(code: bytes, bits: int, offer: Offer = NO_OFFER) -> Mark | None:
    """Return what is marked at the begin of `code`, or None for all the rest.

    `bits` are those of CS: 16, 32 or 64. Without a byte it is the processor's to say
    why none can be fetched; and fifteen bytes that do not tell are too many for it.
    """
    if not code or (code[0] not in FIRST_BYTES[bits] and code[0] not in offer.first):
        return None
    at, locked = prefixes(code, bits)
    try:
        if locked and not _is_lockable(code, at):
            kind: Kind | None = Kind.LOCK
        else:
            kind = _refused(code, at, bits, offer) or _kind(code, at, locked=locked)
    except IndexError:
        kind = Kind.UNTOLD if len(code) < LONGEST else None
    if kind is None or (kind in ONLY_64 and bits != 64):
        return None
    return Mark(kind, at, code)


def look_v86(code: bytes) -> Mark | None:
    """Return what is marked in 16-bit code of virtual-8086 mode alone, or None."""
    at, _ = prefixes(code, 16)
    if OPSIZE in code[:at] and code[at : at + 1] == PUSHF:
        return Mark(Kind.PUSHF_V86, at, code)
    return None


@lru_cache(maxsize=512)
def look_protected(code: bytes, bits: int, *, irets: bool = True) -> Mark | None:
    """Return what is marked in protected mode alone, or None.

    IRET is where it can be another task's end, where it is rare, as that of 32 bits in
    64-bit code is, and where a strict machine asks for it (`irets`): to stop there
    takes as long as the interrupt did.
    """
    at, _ = prefixes(code, bits)
    opcode, modrm = code[at : at + 1], code[at + 1 : at + 2]
    if opcode == IRET:
        is_short = bits == 64 and not (at and code[at - 1] & 0xF8 == 0x48)
        return Mark(Kind.IRET, at, code) if irets or is_short else None
    if opcode == GROUP_5:
        if not modrm:
            return Mark(Kind.UNTOLD, at, code) if len(code) < LONGEST else None
        is_far = modrm[0] < REGISTERS and modrm[0] >> 3 & 7 in {3, 5}
    else:
        is_far = opcode in FAR_RET or (bits != 64 and opcode in FAR_DIRECT)
    return Mark(Kind.FAR, at, code) if is_far else None


def look_stepped(code: bytes, bits: int) -> Mark | None:
    """Return what is marked where RFLAGS.TF is set alone, or None."""
    at, _ = prefixes(code, bits)
    is_exchange = bits == 64 and at and code[at - 1] in REX and code[at - 1] & 1
    if code[at : at + 1] != NOP or REP not in code[:at] or is_exchange:
        return None
    return Mark(Kind.PAUSE, at, code)


@lru_cache(maxsize=512)
def halts(code: bytes, bits: int) -> bool:
    """Tell whether `code` is HLT, of which no prefix but LOCK makes another."""
    at, locked = prefixes(code, bits)
    return not locked and code[at : at + 1] == HLT


def is_repeated(code: bytes, bits: int) -> bool:
    """Tell whether `code` is a string instruction that REP or REPNE repeats."""
    at, _ = prefixes(code, bits)
    return bool(REPEATS & set(code[:at])) and code[at : at + 1] in STRINGS


def prefixes(code: bytes, bits: int) -> tuple[int, bool]:
    """Return how many bytes of prefixes there are, and whether LOCK is one."""
    locked = False
    for at, byte in enumerate(code):
        if byte == LOCK:
            locked = True
        elif byte not in LEGACY and not (bits == 64 and byte in REX):
            return at, locked
    return len(code), locked


def _kind(code: bytes, at: int, *, locked: bool) -> Kind | None:
    """Tell why the opcode at `at` is marked; IndexError when too little is there."""
    opcode = code[at]
    if locked and opcode in {0xF6, 0xF7} and code[at + 1] >> 3 & 7 == NEG:
        return Kind.LOCKED_NEG
    if opcode != TWO_BYTE:
        return _kind_of_one(code, at)
    opcode = code[at + 1]
    if opcode in ESCAPES:
        return _kind_of_three(code, at)
    if opcode not in GROUPED[1]:
        return TWO.get(opcode)
    modrm = code[at + 2]
    key = opcode, modrm >> 3 & 7
    form = TWO_MEMORY if modrm < REGISTERS else TWO_REGISTER
    return TWO_GROUPS.get(key) or form.get(key)


def _kind_of_one(code: bytes, at: int) -> Kind | None:
    """Tell why the opcode of one byte at `at` is marked."""
    opcode = code[at]
    if opcode == X87:
        return Kind.X87 if code[at + 1] in X87_MARKED else None
    if opcode in GROUPED[0]:
        return ONE_GROUPS.get((opcode, code[at + 1] >> 3 & 7))
    return ONE.get(opcode)


def _refused(code: bytes, at: int, bits: int, offer: Offer) -> Kind | None:
    """Tell why a model does not leave the opcode at `at` to the processor."""
    opcode, prefixes, table = code[at], code[:at], 1
    if opcode in {VEX2, VEX3} and opcode in offer.first:
        return _vex(code, at, bits, offer)
    if opcode == TWO_BYTE:
        at, table = at + 1, 2
        opcode = code[at]
        if opcode in THREE_BYTE:
            at, table = at + 1, opcode
            opcode = code[at]
    for row in offer.rows.get((table, opcode), ()):
        if _fits(row, prefixes, code[at + 1 : at + 2], bits):
            return row.kind
    return None


def _fits(row: Row, prefixes: bytes, modrm: bytes, bits: int) -> bool:
    if row.only_64 and bits != 64:
        return False
    if row.prefixes is not None and _mandatory(prefixes) not in row.prefixes:
        return False
    if row.rex_w and not (bits == 64 and prefixes and prefixes[-1] & 0xF8 == 0x48):
        return False
    if row.reg is None:
        return True
    byte = modrm[0]
    is_register = byte >= REGISTERS
    is_form = row.form is None or is_register == (row.form == "register")
    is_rm = row.rm is None or byte & 7 == row.rm
    return is_form and is_rm and byte >> 3 & 7 in row.reg


def _mandatory(prefixes: bytes) -> int:
    """Return the prefix that selects: the last of F2 and F3, else 66, else 0."""
    repeats = [byte for byte in prefixes if byte in REPEATS]
    return repeats[-1] if repeats else 0x66 if 0x66 in prefixes else 0


def _vex(code: bytes, at: int, bits: int, offer: Offer) -> Kind | None:
    """Tell whether it is VEX, and of what is not there.

    # Differs from the SDM: in 16-bit protected mode the processor underneath takes
    none, and what is there is #UD.
    """
    after = code[at + 1]
    if bits != 64 and after < VEX_LES:
        return None
    if code[at] == VEX3:
        low = code[at + 2]
        key = after & 0x1F, code[at + 3], low & 3
        if key in offer.vex and (key != RORX or low & VVVV == VVVV):
            return offer.vex[key]
    return Kind.NOT_OFFERED


def _kind_of_three(code: bytes, at: int) -> Kind | None:
    """Tell why the opcode of three bytes at `at` is marked."""
    kind = THREE.get((code[at + 1], code[at + 2]))
    if kind is not Kind.TWICE:
        return kind
    modrm = code[at + 3]
    rex = code[at - 1] if at and code[at - 1] in REX else 0
    is_same = modrm >> 3 & 7 == modrm & 7 and rex >> 2 & 1 == rex & 1
    return kind if modrm >= REGISTERS and is_same else None


def _is_lockable(code: bytes, at: int) -> bool:
    """Tell whether the opcode at `at` with its ModRM may follow LOCK."""
    lockable = ONE_LOCKABLE
    if code[at] == TWO_BYTE:
        lockable, at = TWO_LOCKABLE, at + 1
    if code[at] not in lockable:
        return False
    modrm = code[at + 1]
    return modrm < REGISTERS and modrm >> 3 & 7 in lockable[code[at]]
