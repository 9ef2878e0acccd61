"""What an instruction asks before it is carried out, and the processor does not.

SDM Vol. 2A "ENTER".

# Differs from the SDM: with both 66 and F2 or F3 before an opcode of SSE the processor
underneath goes by 66, and real ones by the other.
# Differs from the SDM: in 16-bit code POPCNT, CRC32 and MOVBE have 32 bits, and 16
behind 66, as they have in 32-bit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.descriptors import stack_mask
from lapis_engine.cpu.registers import RSP, SS
from lapis_engine.units import MASK64
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vmm import intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

RING_3: Final = 3
HINT: Final = 3
"""Bytes of a hint without its prefixes: 0F 18 and ModRM."""


def hint(run: Run, mark: Mark) -> None:
    """Do nothing (SDM Vol. 2D "Opcode Extensions", group 16: reserved NOP)."""
    intercepted.retire(run, mark.opcode_at + HINT)


def check_frame(run: Run, mark: Mark) -> None:
    """Raise #PF where ENTER could not write at the stack pointer that it ends with.

    What it pushes on its way comes first; it is the processor's, if there is no more.
    """
    regs, code, at = run.vcpu.regs, mark.code, mark.opcode_at
    room = int.from_bytes(code[at + 1 : at + 3], "little")
    if not room:
        return
    bits = regs.code_bits
    mask = MASK64 if bits == 64 else stack_mask(regs.segment(SS))
    size = read_prefixes(code, bits).opsize
    if bits == 64 and size == 4:
        size = 8  # SDM Vol. 1 "Stack Behavior in 64-Bit Mode"
    pushed = size * (1 + (code[at + 3] & 31))
    for below in (pushed, pushed + room):
        place = linear_address(regs, bits, SS, regs.gpr[RSP] - below & mask)
        for byte in (place, place + size - 1):
            run.vcpu.linear.translate(byte, write=True, user=regs.cpl == RING_3)
