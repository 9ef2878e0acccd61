"""Every instruction once: all encodings, walked through a disassembler.

Prefix, map, opcode and ModRM are counted up; what disassembles is kept once for each
mnemonic, form of its operands and prefix that tells. Not here: what CPUID calls it
(`features`), and what it must do (`rules`).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import capstone
from capstone import x86_const

if TYPE_CHECKING:
    from collections.abc import Iterator

MODES: Final = {
    16: capstone.CS_MODE_16,
    32: capstone.CS_MODE_32,
    64: capstone.CS_MODE_64,
}
GROUPS: Final = {
    value: name.removeprefix("X86_GRP_")
    for name, value in vars(x86_const).items()
    if name.startswith("X86_GRP_")
}
MAPS: Final = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")
PREFIXES: Final = (b"", b"\x66", b"\xf2", b"\xf3", b"\x66\xf2", b"\x66\xf3")
REX_W: Final = b"\x48"
MEMORY: Final = {16: 0x05, 32: 0x07, 64: 0x07}
"""ModRM without reg: [di], [edi] or [rdi]."""
REGISTER: Final = 0xC1
"""ModRM without reg: the register 1."""
X87: Final = range(0xD8, 0xE0)
BY_MODRM: Final = frozenset({(b"\x0f", 0x01), (b"\x0f", 0xAE), (b"\x0f", 0xC7)})
"""All of ModRM tells which it is."""
XOP: Final = 0x8F
VEX_GROUPS: Final = frozenset(
    ((1, 0x71), (1, 0x72), (1, 0x73), (1, 0xAE), (2, 0xF3), (9, 1), (9, 2))
)
"""(Map, opcode) of VEX and XOP where ModRM.reg tells which it is."""
TAIL: Final = bytes.fromhex("04 00 00 00 00 00 00 00 00 00")
"""Displacements and immediates: they are 4."""
FAR_TAILS: Final = {
    16: bytes.fromhex("04 08 00 00 00 00"),
    32: bytes.fromhex("04 00 00 08 00 00"),
}
FAR: Final = frozenset({0x9A, 0xEA})
"""Far CALL and JMP with a pointer behind them, of which the selector is 8."""
LEGACY: Final = bytes.fromhex("26 2e 36 3e 64 65 66 67 f0 f2 f3")
NO_OPCODES: Final = {b"": b"\x0f" + LEGACY, b"\x0f": b"\x38\x3a"}
"""Map -> prefixes and escapes, which are no opcodes."""
REX: Final = range(0x40, 0x50)


class Instruction(NamedTuple):
    """One instruction in one mode."""

    bits: int
    """Of the code segment."""
    code: bytes
    mnemonic: str
    form: str
    """Operands by kind, as `r32,m32`: r, m, i, xmm, ymm, mm, st, ss, cr0, dr7."""
    groups: frozenset[str]
    """The disassembler's."""
    text: str

    def __str__(self) -> str:
        return f"{self.bits}-bit {self.code.hex(' ')} {self.text}"


@cache
def instructions(bits: int) -> tuple[Instruction, ...]:
    """Return all that there are in a mode, each mnemonic and form once."""
    reader = capstone.Cs(capstone.CS_ARCH_X86, MODES[bits])
    texts: dict[tuple[str, str], bytes] = {}
    for code in encodings(bits):
        for _, size, mnemonic, operands in reader.disasm_lite(code, 0x1000, 1):
            if not _is_opaque(code[:size]):
                texts.setdefault((mnemonic, operands), code[:size])
    found: dict[tuple[str, str], Instruction] = {}
    for code in texts.values():
        for insn in read(bits, code):
            found.setdefault((insn.mnemonic, insn.form), insn)
    return tuple(found.values())


def read(bits: int, code: bytes) -> Iterator[Instruction]:
    """Yield what stands at the begin of `code`, if it is an instruction."""
    for insn in _reader(bits).disasm(code, 0x1000, 1):
        form = ",".join(_form(insn, operand) for operand in insn.operands)
        groups = frozenset(GROUPS[each] for each in insn.groups)
        text = f"{insn.mnemonic} {insn.op_str}".strip()
        yield Instruction(bits, bytes(insn.bytes), insn.mnemonic, form, groups, text)


@cache
def _reader(bits: int) -> capstone.Cs:
    reader = capstone.Cs(capstone.CS_ARCH_X86, MODES[bits])
    reader.detail = True
    return reader


def _is_opaque(code: bytes) -> bool:
    """Tell whether it is but a prefix that the disassembler shows alone."""
    return len(code) == 1 and code[0] in LEGACY


def encodings(bits: int) -> Iterator[bytes]:
    """Yield every encoding with a tail for whatever follows; some twice."""
    prefixes = [*PREFIXES]
    if bits == 64:
        prefixes += [prefix + REX_W for prefix in PREFIXES]
    for prefix, escape, opcode in product(prefixes, MAPS, range(256)):
        is_rex = bits == 64 and not escape and opcode in REX
        if is_rex or opcode in NO_OPCODES.get(escape, b""):
            continue
        head = prefix + escape + bytes((opcode,))
        is_far = not escape and opcode in FAR
        tail = FAR_TAILS.get(bits, TAIL) if is_far else TAIL
        is_x87 = not escape and opcode in X87
        for modrm in _modrms(bits, all_of_it=is_x87 or (escape, opcode) in BY_MODRM):
            yield head + bytes((modrm,)) + tail
    yield from _vex(bits)


def _modrms(bits: int, *, all_of_it: bool) -> Iterator[int]:
    for reg in range(8):
        yield MEMORY[bits] | reg << 3
        if not all_of_it:
            yield REGISTER | reg << 3
    if all_of_it:
        yield from range(0xC0, 0x100)


def _vex(bits: int) -> Iterator[bytes]:
    """Yield what has a VEX or XOP prefix: W, L and pp, with and without vvvv."""
    every = tuple(_modrms(bits, all_of_it=False))
    for vvvv, low, opcode in product((0b1101, 0b1111), range(8), range(256)):
        head = bytes((0xC5, 0x80 | vvvv << 3 | low, opcode))
        for modrm in every if (1, opcode) in VEX_GROUPS else every[:2]:
            yield head + bytes((modrm,)) + TAIL
    for first, maps in ((0xC4, (1, 2, 3)), (XOP, (8, 9, 10))):
        for which, vvvv, low in product(maps, (0b1101, 0b1111), range(8)):
            for wide, opcode in product((0, 0x80), range(256)):
                head = bytes((first, 0xE0 | which, wide | vvvv << 3 | low, opcode))
                for modrm in every if (which, opcode) in VEX_GROUPS else every[:2]:
                    yield head + bytes((modrm,)) + TAIL


KINDS: Final = re.compile(r"[xyz]mm|mm|st|k(?=\d)|bnd|[cd]r\d+|[cdefgs]s$")
"""What keeps its name, or the begin of it; all else is a general register."""


def _form(insn: capstone.CsInsn, operand: capstone.x86.X86Op) -> str:
    """Tell of what kind an operand is, and how wide in bits."""
    if operand.type == x86_const.X86_OP_IMM:
        return "i"
    if operand.type == x86_const.X86_OP_MEM:
        return f"m{8 * operand.size}"
    name = insn.reg_name(operand.reg)
    match = KINDS.match(name)
    return match[0] if match else f"r{8 * operand.size}"
