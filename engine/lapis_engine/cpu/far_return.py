"""A far return in real mode whose reads are told of: RIP is put right again.

The processor underneath sets RIP by the first word that such a RETF reads, and then
reads the new CS. Before a read that is told of it puts RIP back to the instruction,
which would be begun again with what lies above on the stack.
# Not modelled: where it returns to while reads of the stack are told of, if in
virtual-8086 mode, if SP wraps between the two words, or if one lies across pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import layout
from lapis_engine.cpu.marked import LONGEST, prefixes
from lapis_engine.cpu.registers import CS, RSP, SS
from lapis_engine.units import MASK32, PAGE

if TYPE_CHECKING:
    from unicorn import Uc

    from lapis_engine.cpu.layout import Head

MASK16: Final = 0xFFFF
RETURNS: Final = frozenset({0xCA, 0xCB})
"""Opcodes of RETF, with what it drops from the stack and without."""


def go_on(uc: Uc, head: Head, gpa: int, size: int) -> None:
    """Set RIP anew if the read that was just told of is that of CS by a far return.

    `head` is the state that the processor works on.
    """
    if head.hflags & layout.HF_PE:
        return
    top = head.regs[RSP] & (MASK32 if head.hflags & layout.HF_SS32 else MASK16)
    if gpa != head.segs[SS].base + top + size:
        return
    linear = head.segs[CS].base + head.eip
    code = bytes(uc.mem_read(linear, min(LONGEST, PAGE - linear % PAGE)))
    at, _ = prefixes(code, 16)
    if at < len(code) and code[at] in RETURNS:
        head.eip = int.from_bytes(uc.mem_read(gpa - size, size), "little")
