"""What bhyve's instruction emulator knows less of than the processor.

`vmm_instruction_emul.c`: its opcode table (profile switch vie_table), the rights that
its page walk asks for (vie_walk_lax), and an address size that it got wrong
(inout_sizes). What becomes of an instruction is for the vmm to say.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.cpu.marked import LONGEST, VEX3
from lapis_engine.cpu.page_formats import USER, WRITABLE
from lapis_engine.cpu.paging import Linear
from lapis_engine.vie.prefixes import Cursor, read_prefixes

if TYPE_CHECKING:
    from lapis_engine.vie.instruction import PortInstruction

Support = Literal["known", "unknown", "unhandled"]

ANY: Final = frozenset(range(8))
WITHOUT_MODRM: Final = frozenset({0xA1, 0xA3, 0xA4, 0xA5, 0xAA, 0xAB})
OPERATIONS: Final = {
    # Opcode -> values of ModRM.reg whose operation is carried out.
    0x88: ANY, 0x89: ANY, 0x8A: ANY, 0x8B: ANY, 0xC6: ANY, 0xC7: ANY,
    0x03: ANY, 0x0B: ANY, 0x23: ANY, 0x2B: ANY, 0x39: ANY, 0x3B: ANY,
    0x80: {7}, 0x81: {1, 4, 7}, 0x83: {1, 4, 7}, 0xF6: {0}, 0xF7: {0},
    0x8F: {0}, 0xFF: {6},
    0x0FB6: ANY, 0x0FB7: ANY, 0x0FBE: ANY, 0x0FAF: ANY, 0x0FBA: {4}, 0x0FAE: {7},
}  # fmt: skip
VEX_MAP_0F38: Final = 2
BEXTR: Final = 0xF7
LARGEST_ADDRESS: Final = 8
"""Bytes."""


@lru_cache(maxsize=4096)
def judge(code: bytes, bits: int) -> Support:
    """Say what bhyve makes of the instruction at the start of `code`.

    An unknown opcode is INST_EMUL; with one whose operation is not carried out,
    unhandled, vm_run fails with EINVAL.
    """
    try:
        at = read_prefixes(code[:LONGEST], bits)
        # As bhyve: LOCK is no prefix, and so no opcode either.
        return "unknown" if at.lock else _judge(at)
    except IndexError:
        return "unknown"


def _judge(at: Cursor) -> Support:
    opcode = at.byte()
    if opcode == 0x0F:
        opcode = 0x0F00 | at.byte()
    if opcode in WITHOUT_MODRM:
        return "known"
    if opcode == VEX3 and at.bits == 64:
        leading = at.byte() & 0x1F, at.byte(), at.byte()
        return "known" if leading[::2] == (VEX_MAP_0F38, BEXTR) else "unknown"
    if opcode not in OPERATIONS or at.bits == 16 or at.addrsize == 2:
        return "unknown"
    reg = (at.byte() >> 3) & 7
    return "known" if reg in OPERATIONS[opcode] else "unhandled"


class LaxWalk(Linear):
    """Rights as in bhyve `vm_gla2gpa`: U and W, for every privilege level alike.

    Only accesses that the emulator makes by itself are walked so: both sides of a
    string instruction, and the memory of INS and OUTS.
    # As bhyve: CR0.WP counts as set, SMAP as clear, and no page is NX.
    """

    __slots__ = ()

    def denied(
        self, rights: int, *, write: bool, user: bool, fetch: bool
    ) -> str | None:
        """Return which right an access lacks, or None."""
        del fetch
        if user and not rights & USER:
            return "supervisor-page"
        return "read-only" if write and not rights & WRITABLE else None


def doubled(instruction: PortInstruction) -> PortInstruction | None:
    """Return the instruction with twice its address size; None where there is none.

    # As bhyve: before illumos 13139 bits 9:7 of the VMX instruction information, n,
    became 2 << (1 + n) (profile switch inout_sizes), and 16 bytes failed an assertion.
    IN and OUT have no address.
    """
    if not instruction.string:
        return instruction
    size = 2 * instruction.addrsize
    return replace(instruction, addrsize=size) if size <= LARGEST_ADDRESS else None
