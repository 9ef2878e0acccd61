"""Disassembly in the mode of the code segment, by capstone."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import capstone

_MODES: Final = {
    16: capstone.CS_MODE_16,
    32: capstone.CS_MODE_32,
    64: capstone.CS_MODE_64,
}
_ENGINES: Final = {
    bits: capstone.Cs(capstone.CS_ARCH_X86, m) for bits, m in _MODES.items()
}


_ATT: Final = {bits: capstone.Cs(capstone.CS_ARCH_X86, m) for bits, m in _MODES.items()}
for _engine in _ATT.values():
    _engine.syntax = capstone.CS_OPT_SYNTAX_ATT
_DETAILED: Final = {
    bits: capstone.Cs(capstone.CS_ARCH_X86, m) for bits, m in _MODES.items()
}
for _engine in _DETAILED.values():
    _engine.detail = True


class Line(NamedTuple):
    """One instruction as it is shown."""

    linear: int
    code: bytes
    mnemonic: str
    operands: str


def disassemble(
    code: bytes, linear: int, bits: int, count: int, *, is_att: bool = False
) -> list[Line]:
    """Return up to `count` instructions of `code`, which lies at `linear`.

    They are in Intel's syntax, or in AT&T's.

    A byte that begins no instruction is shown as `db`; the list is shorter where
    `code` ends.
    """
    lines: list[Line] = []
    at, engine = 0, (_ATT if is_att else _ENGINES)[bits]
    while len(lines) < count and at < len(code):
        found = list(engine.disasm_lite(code[at:], linear + at, count - len(lines)))
        for address, size, mnemonic, operands in found:
            raw = code[address - linear : address - linear + size]
            lines.append(Line(address, raw, mnemonic, operands))
            at = address - linear + size
        if len(lines) < count and at < len(code):
            lines.append(Line(linear + at, code[at : at + 1], "db", f"{code[at]:#04x}"))
            at += 1
    return lines[:count]


def detailed(bits: int) -> capstone.Cs:
    """Return the engine that tells operands apart, for the mode of a code segment."""
    return _DETAILED[bits]


@lru_cache(maxsize=4096)
def memory_access(code: bytes, bits: int) -> tuple[int, bool] | None:
    """Return size in bytes of the explicit memory operand, and whether it is written.

    None for an instruction without one.
    """
    found = next(_DETAILED[bits].disasm(code, 0, 1), None)
    for operand in found.operands if found is not None else ():
        if operand.type == capstone.x86.X86_OP_MEM:
            return operand.size, bool(operand.access & capstone.CS_AC_WRITE)
    return None
