"""The bytes of the instruction at CS:RIP, without side effects.

Differs from bhyve: a page that is not there shortens the fetch instead of faulting,
for the instruction may end before it (bhyve `vie_fetch_instruction` always takes 15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.marked import LONGEST
from lapis_engine.errors import UnmappedError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.world import Memory, Peeker


def fetch(regs: Registers, linear: Peeker, memory: Memory) -> bytes:
    """Return up to 15 bytes at CS:RIP, fewer where a page ends it."""
    at = regs.linear_rip
    if at & (PAGE - 1) <= PAGE - LONGEST:  # nearly always
        return _piece(at, LONGEST, linear, memory)
    size = min(LONGEST, PAGE - (at & (PAGE - 1)))
    code = _piece(at, size, linear, memory)
    if size < LONGEST and len(code) == size:
        limit = (1 << 64) - 1 if regs.code_bits == 64 else 0xFFFF_FFFF
        code += _piece((at + size) & limit, LONGEST - size, linear, memory)
    return code


def _piece(at: int, size: int, linear: Peeker, memory: Memory) -> bytes:
    gpa = linear.peek(at)
    if gpa is None:
        return b""
    try:
        return memory.read(gpa, size)
    except UnmappedError:
        return b""
