"""Random programs of a user: what they are made of comes from `instructions`.

Registers have their parts: some point to data and are no destination, one is a small
index, the rest is anything. So most programs get through, and some come to an end of
memory, to an address that is not canonical, or divide by zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rigs.native_cpu import layout
from rigs.native_cpu.instructions import ALL, COMPARING, ROWS, STRINGS, Row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
R8, R9, R10, R11, R12, R13, R14, R15 = range(8, 16)
POINTERS: Final = (RBX, RBP, RSI, RDI, R12, R13)
ALIGNED: Final = (RBX, R12)
"""Pointers to multiples of 64, which stay so."""
FREE: Final = (RAX, RCX, RDX, R8, R9, R10, R11, R14)
INDEX: Final = R15
ANY: Final = (*FREE, *POINTERS, R15)
NEAR_END: Final = (0x1FF0, 0x1FFC, 0x1FFF, 0x2000, 0, 4)
INTEGERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000,
                   0xFFFF_FFFF, 1 << 63, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
SINGLES: Final = (
    0, 1 << 31, 0x3F80_0000, 0xBF80_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0001,
    0x7FA0_0001, 0xFFC1_2345, 1, 0x007F_FFFF, 0x0080_0000, 0x7F7F_FFFF, 0x4F00_0000,
    0x4EFF_FFFF, 0x3F00_0000, 0x4B00_0001,
)  # fmt: skip
DOUBLES: Final = (0, 1 << 63, 0x3FF0 << 48, 0xBFF8 << 48, 0x7FF0 << 48, 0xFFF0 << 48,
                  0x7FF8_0000_0000_0001, 0x7FF4_0000_0000_0001, 1, 0x000F << 48,
                  0x0010 << 48, 0x7FEF_FFFF_FFFF_FFFF, 0x41E0 << 48, 0x43E0 << 48,
                  0x3FE0 << 48, 0x4330_0000_0000_0001)  # fmt: skip
CHAINS: Final = 7
RM_IS_XMM: Final = frozenset(
    ("x_x", "x_x_i8", "x_x_cmp", "x_x_round", "xr_i8", "x_reg", "r_x", "r_xr",
     "r_xr_i8")
)  # fmt: skip


@dataclass(slots=True)
class Program:
    """A program, and which flags are undefined where."""

    given: layout.Given
    names: list[str]
    """Of each instruction, by its mnemonic and bytes."""
    ends: list[int]
    """Offset of the end of each."""
    undefined: list[int]
    """Flags that are undefined once so many of them are done."""

    def undefined_at(self, rip: int) -> int:
        """Return the flags that are undefined there."""
        done = sum(end <= rip - layout.CODE for end in self.ends)
        return self.undefined[done]


@dataclass(slots=True)
class _Writer:
    rng: Random
    rows: Sequence[Row]
    code: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    undefined: list[int] = field(default_factory=lambda: [0])

    def add(self, name: str, code: bytes, undefined: int = 0, defines: int = 0) -> None:
        self.code += code
        self.names.append(f"{name} {code.hex()}")
        self.ends.append(len(self.code))
        self.undefined.append(self.undefined[-1] & ~defines | undefined)


def program(rng: Random, features: frozenset[str]) -> Program:
    """Make one of what has `features`, and of what every processor has."""
    rows = [row for row in ROWS if not row.feature or row.feature in features]
    writer = _Writer(rng, rows)
    for _ in range(rng.randint(1, 6)):
        _instruction(writer)
        if len(writer.code) > layout.LONGEST - 40:
            break
    given = layout.Given(
        bytes(writer.code), rng.randrange(0, len(layout.POOL) - layout.MEMORY),
        _registers(rng), rng.choice((2, 3, 0x46, 0x8D7, 0x402, 0x92)), _xmm(rng),
    )  # fmt: skip
    return Program(given, writer.names, writer.ends, writer.undefined)


def _registers(rng: Random) -> tuple[int, ...]:
    values = [
        rng.choice((rng.getrandbits(64), rng.getrandbits(8), rng.choice(INTEGERS)))
        for _ in range(16)
    ]
    for register in POINTERS:
        offset = 64 * rng.randrange(1, 120)
        if register not in ALIGNED:
            offset += rng.choice((0, 0, 1, 8))
            if rng.random() < 0.08:
                offset = rng.choice(NEAR_END)
        values[register] = layout.DATA + offset
    if rng.random() < 0.03:
        values[rng.choice(POINTERS)] = rng.choice((1 << 47, 0x1234_5678 << 32))
    values[RSP] = layout.STACK + 8 * rng.randrange(64, 448)
    values[INDEX] = rng.randrange(0, 16)
    return tuple(values)


def _xmm(rng: Random) -> bytes:
    found = []
    for _ in range(16):
        kind = rng.random()
        if kind < 0.4:
            found.append(struct.pack("<4I", *(rng.choice(SINGLES) for _ in range(4))))
        elif kind < 0.8:
            found.append(struct.pack("<2Q", *(rng.choice(DOUBLES) for _ in range(2))))
        else:
            found.append(rng.randbytes(16))
    return b"".join(found)


def _instruction(to: _Writer) -> None:
    rng = to.rng
    if rng.random() < 0.12:
        _composed(to)
        return
    row = rng.choice(to.rows)
    if row.reads and to.undefined[-1]:
        to.add("CMP", b"\x39\xd0", 0, ALL)
    to.add(row.name, encoded(rng, row), row.undefined, row.defines)


def _composed(to: _Writer) -> None:
    """What takes more than one instruction, or has an operand that must be right."""
    rng = to.rng
    kind = rng.randrange(CHAINS)
    if kind == 0:
        opcode = rng.choice(STRINGS)
        prefix = rng.choice((b"", b"\xf3", b"\xf2")) if opcode in COMPARING else (
            rng.choice((b"", b"\xf3"))
        )  # fmt: skip
        size = rng.choice((b"", b"\x48", b"\x66"))
        if prefix:
            to.add("MOV", b"\xb9" + struct.pack("<I", rng.choice((0, 1, 3, 9, 40))))
        code = (size + prefix if size == b"\x66" else prefix + size) + bytes.fromhex(
            opcode
        )
        to.add("string", code, 0, 0)
    elif kind == 1:
        flags = rng.getrandbits(12) & (layout.STATUS | layout.DF)
        to.add("PUSH", b"\x68" + struct.pack("<I", flags | 2))
        to.add("POPF", b"\x9d", 0, ALL)
    elif kind == 2:
        to.add("CALL", b"\xe8\0\0\0\0")
    elif kind == 3:
        to.add("LEA", b"\x48\x8d\x05\x02\0\0\0")
        to.add("PUSH", b"\x50")
        to.add("RET", rng.choice((b"\xc3", b"\xc3")))
    elif kind == 4:
        if to.undefined[-1]:
            to.add("CMP", b"\x39\xd0", 0, ALL)
        to.add("Jcc", bytes((0x70 + rng.randrange(16), 2)))
        to.add("MOV", bytes((0xB0, rng.getrandbits(8))))
    elif kind == 5:
        to.add("MOV", b"\xb9" + struct.pack("<I", rng.choice((0, 1, 5))))
        if to.undefined[-1]:
            to.add("CMP", b"\x39\xd0", 0, ALL)
        to.add("LOOP", bytes((rng.choice((0xE0, 0xE1, 0xE2, 0xE3)), 2)))
        to.add("MOV", bytes((0xB1, rng.getrandbits(8))))
    else:
        mode = 0x1F80 | rng.randrange(4) << 13 | rng.choice((0, 0, 0x8000, 0x40))
        to.add("PUSH", b"\x68" + struct.pack("<I", mode))
        to.add("LDMXCSR", bytes.fromhex("0fae1424"))


def encoded(rng: Random, row: Row) -> bytes:
    """Return the bytes of one with operands of its form."""
    size = rng.choice(row.sizes)
    form = row.form
    rex = 8 if size == "q" else 0
    opcode = bytes.fromhex(row.opcode)
    prefix = bytes.fromhex(row.prefix)
    if size == "w":
        prefix = b"\x66" + prefix
    tail = b""
    if form.endswith("_i8"):
        tail = bytes((rng.choice((0, 1, 2, 7, 8, 31, 33, rng.getrandbits(8))),))
    elif form.endswith("_cmp"):
        tail = bytes((rng.randrange(8),))
    elif form.endswith("_round"):
        tail = bytes((rng.randrange(16),))
    elif form.endswith("_i"):
        many = {"b": 1, "w": 2}.get(size, 4)
        value = rng.choice((rng.getrandbits(32), rng.choice(INTEGERS)))
        tail = (value & (1 << 8 * many) - 1).to_bytes(many, "little")
    if form in {"none", "a_i"}:
        rex_bytes = b"\x48" if rex else b""
        return prefix + rex_bytes + opcode + tail
    if form == "r":
        register = rng.choice(FREE)
        rex |= register >> 3
        rex_bytes = bytes((0x40 | rex,)) if rex else b""
        return (
            prefix
            + rex_bytes
            + opcode[:-1]
            + bytes((opcode[-1] | register & 7,))
            + tail
        )
    return _with_modrm(rng, row, rex, prefix, opcode, tail)


def _with_modrm(
    rng: Random, row: Row, rex: int, prefix: bytes, opcode: bytes, tail: bytes
) -> bytes:
    form = row.form
    vectors = form.startswith("x")
    # Which operand is an XMM register, and which is memory, must be or cannot be.
    reg = row.digit if row.digit >= 0 else rng.choice(FREE)
    if form.startswith("x_") or form == "rm_x":
        reg = rng.randrange(16)
    rm_is_xmm = form in RM_IS_XMM
    only_memory = form in {"m", "m_r", "r_m", "x_m"}
    only_register = form in {"reg_r", "xr_i8", "r_xr", "r_xr_i8", "x_reg"}
    in_memory = only_memory or (not only_register and rng.random() < 0.4)
    lock = b""
    if in_memory:
        locks = row.lockable and (row.name == "XCHG" or rng.random() < 0.3)
        if row.lockable and locks:
            lock = b"\xf0"
        modrm, rex_bits = _memory(
            rng, aligned=bool(lock) or vectors or row.name == "CMPXCHG8B"
        )
        rex |= rex_bits
    else:
        register = rng.randrange(16) if rm_is_xmm else rng.choice(FREE)
        rex |= register >> 3
        modrm = bytes((0xC0 | register & 7,))
    rex |= (reg >> 3 & 1) << 2
    body = bytes((modrm[0] | (reg & 7) << 3,)) + modrm[1:]
    return lock + prefix + (bytes((0x40 | rex,)) if rex else b"") + opcode + body + tail


def _memory(rng: Random, *, aligned: bool) -> tuple[bytes, int]:
    """Return ModRM (without reg) to displacement, and REX.X and REX.B."""
    base = rng.choice(ALIGNED if aligned else POINTERS)
    step = 16 if aligned else 1
    wide = rng.random() < 0.3
    displacement = step * rng.randrange(-4, 8)
    if not wide and displacement == 0 and base & 7 != 5 and rng.random() < 0.5:
        mod, tail = 0, b""
    elif wide:
        mod, tail = 2, struct.pack("<i", displacement)
    else:
        mod, tail = 1, struct.pack("<b", displacement)
    if base & 7 == 4 or (not aligned and rng.random() < 0.3):
        index = 4 if aligned else rng.choice((4, INDEX))
        sib = rng.randrange(4) << 6 | (index & 7) << 3 | base & 7
        return bytes((mod << 6 | 4, sib)) + tail, (index >> 3) << 1 | base >> 3
    return bytes((mod << 6 | base & 7,)) + tail, base >> 3
