"""Which bytes of a page are the code that a processor started there runs.

What is followed is straight code, both sides of a branch, and jumps whose target is in
the instruction; not calls by register, and no page but the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import capstone

from lapis_engine.cpu.disasm import detailed
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from capstone import CsInsn

MOST: Final = 512
"""Instructions that are followed."""
ENDS: Final = frozenset({"jmp", "ljmp", "ret", "retf", "iret", "iretd", "hlt", "ud2"})
"""Behind these goes on who came from elsewhere."""
NEAR: Final = frozenset({capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL})


def reached(page: bytes, base: int, entry: int = 0) -> set[int]:
    """Return the offsets of the bytes that are code from `entry` on, at `base`.

    It begins in 16 bits; a far jump within the page goes on in 32.
    """
    found: set[int] = set()
    begun: set[int] = set()
    todo = [(entry, 16)]
    while todo and len(begun) < MOST:
        at, bits = todo.pop()
        if at in begun or not 0 <= at < PAGE:
            continue
        begun.add(at)
        it = next(detailed(bits).disasm(page[at : at + LONGEST], at, 1), None)
        if it is None:
            found.add(at)
            continue
        found.update(range(at, at + it.size))
        todo += _next(it, base, bits)
    return found


def _next(it: CsInsn, base: int, bits: int) -> list[tuple[int, int]]:
    """Return where the processor may be after an instruction, and in what mode."""
    out = [] if it.mnemonic in ENDS else [(it.address + it.size, bits)]
    operands = it.operands
    if it.mnemonic in {"ljmp", "lcall"} and len(operands) == 2:
        out.append(_far(operands[0].imm, operands[1].imm, base))
    elif operands and operands[0].type == capstone.x86.X86_OP_IMM and _jumps(it):
        out.append((operands[0].imm, bits))
    return out


def _far(selector: int, target: int, base: int) -> tuple[int, int]:
    """Return where a far jump goes: in real mode, or flat by a GDT and in 32 bits."""
    if selector in {0, base >> 4}:
        return (selector << 4) + target - base, 16
    return target - base, 32


def _jumps(it: CsInsn) -> bool:
    return any(group in NEAR for group in it.groups)
