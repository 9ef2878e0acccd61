"""What bhyve's instruction emulator knows (`vmm_instruction_emul.c`, its opcode table).

Profile switch vie_table. An opcode outside the table is INST_EMUL; one inside whose
operation is not carried out makes vm_run fail with EINVAL.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from lapis_engine.vie.fetch import LONGEST
from lapis_engine.vie.prefixes import Cursor, read_prefixes

Verdict = Literal["known", "unknown", "unhandled"]

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
VEX3: Final = 0xC4
VEX_MAP_0F38: Final = 2
BEXTR: Final = 0xF7


@lru_cache(maxsize=4096)
def judge(code: bytes, bits: int) -> Verdict:
    """Say what bhyve makes of the instruction at the start of `code`."""
    try:
        at = read_prefixes(code[:LONGEST], bits)
        # As bhyve: LOCK is no prefix, and so no opcode either.
        return "unknown" if at.lock else _judge(at)
    except IndexError:
        return "unknown"


def _judge(at: Cursor) -> Verdict:
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
