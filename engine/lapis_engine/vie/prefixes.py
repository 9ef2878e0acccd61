"""Prefixes, and the bytes behind them, one after the other.

SDM Vol. 2A "Instruction Prefixes" and "REX Prefixes".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lapis_engine.cpu.registers import CS, DS, ES, FS, GS, SS

SEGMENTS: Final = {0x26: ES, 0x2E: CS, 0x36: SS, 0x3E: DS, 0x64: FS, 0x65: GS}
_REX_W: Final = 8
LEGACY: Final = frozenset({*SEGMENTS, 0x66, 0x67, 0xF0, 0xF2, 0xF3})


@dataclass(slots=True)
class Cursor:
    """A place in an instruction, with the prefixes that were met before it."""

    code: bytes
    bits: int
    """Mode of the code segment: 16, 32 or 64."""
    pos: int = 0
    segment: int | None = None
    """Override."""
    other_opsize: bool = False
    """66."""
    other_addrsize: bool = False
    """67."""
    lock: bool = False
    rep: bool = False
    repne: bool = False
    rex: int = 0
    """The REX byte, or 0."""

    def byte(self) -> int:
        """Take one byte; raise `IndexError` at the end, as all the takers do."""
        value = self.code[self.pos]
        self.pos += 1
        return value

    def unsigned(self, size: int) -> int:
        """Take a little-endian number of `size` bytes."""
        return int.from_bytes(self._take(size), "little")

    def signed(self, size: int) -> int:
        """Take a little-endian two's complement number of `size` bytes."""
        return int.from_bytes(self._take(size), "little", signed=True)

    def _take(self, size: int) -> bytes:
        piece = self.code[self.pos : self.pos + size]
        if len(piece) < size:
            raise IndexError(size)
        self.pos += size
        return piece

    @property
    def opsize(self) -> int:
        """Operand size in bytes of an instruction that is not of byte size."""
        if self.rex & _REX_W:
            return 8
        return 2 if (self.bits == 16) != self.other_opsize else 4

    @property
    def addrsize(self) -> int:
        """Address size in bytes."""
        if self.bits == 64:
            return 4 if self.other_addrsize else 8
        return 2 if (self.bits == 16) != self.other_addrsize else 4

    def segment_or(self, default: int) -> int:
        """Return the overriding segment, else `default`."""
        return default if self.segment is None else self.segment


def read_prefixes(code: bytes, bits: int) -> Cursor:
    """Return a cursor on the opcode; raise `IndexError` when there is none."""
    at = Cursor(code, bits)
    while True:
        value = code[at.pos]
        if bits == 64 and value & 0xF0 == 0x40:
            at.rex = value
        elif value in LEGACY:
            at.rex = 0  # a REX counts only right before the opcode
            _legacy(at, value)
        else:
            return at
        at.pos += 1


def _legacy(at: Cursor, value: int) -> None:
    if value in SEGMENTS:
        segment = SEGMENTS[value]
        if at.bits != 64 or segment >= FS:  # the other four mean nothing in 64 bits
            at.segment = segment
    elif value == 0x66:
        at.other_opsize = True
    elif value == 0x67:
        at.other_addrsize = True
    elif value == 0xF0:
        at.lock = True
    else:
        at.rep, at.repne = value == 0xF3, value == 0xF2
