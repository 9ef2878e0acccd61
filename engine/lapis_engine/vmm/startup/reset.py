"""Register values after reset, INIT and SIPI.

bhyve `vcpu_arch_reset`; SDM Vol. 3A "Processor State After Reset".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import CS, RDX, SS, Segment

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers

DATA: Final = 0x9300
"""Flags of a writable, accessed, present data segment (access byte 0x93)."""
CODE: Final = 0x9B00
"""The same for code. bhyve loads CS with 0x93 too; hardware reports 0x9B for code
that has been fetched, and the processor underneath wants a code type."""
FAMILY: Final = 0x600
"""RDX after reset: family 6."""


def reset(regs: Registers) -> None:
    """Give the registers their values after reset or INIT, CS:RIP at F000:FFF0."""
    for index in range(16):
        regs.gpr[index] = 0
    regs.gpr[RDX] = FAMILY
    regs.efer = 0
    regs.cr0, regs.cr2, regs.cr3, regs.cr4 = 0x6000_0010, 0, 0, 0
    for index in range(6):
        regs.set_segment(index, Segment(0, 0, 0xFFFF, DATA))
    regs.set_segment(CS, Segment(0xF000, 0xFFFF_0000, 0xFFFF, CODE))
    regs.gdtr = regs.idtr = Segment(0, 0, 0xFFFF, 0)
    regs.ldtr = Segment(0, 0, 0xFFFF, 0x8200)
    regs.tr = Segment(0, 0, 0xFFFF, 0x8B00)
    for index in range(6):
        regs.dr[index] = 0
    regs.dr[6], regs.dr[7] = 0xFFFF_0FF0, 0x400
    regs.rflags, regs.rip, regs.shadow = 2, 0xFFF0, False


def start_at(regs: Registers, vector: int) -> None:
    """Vector a SIPI: CS base is the page `vector` << 12, its selector `vector` << 8."""
    regs.set_segment(CS, Segment(vector << 8, vector << 12, 0xFFFF, CODE))
    regs.rip = 0


def real_entry(regs: Registers, selector: int, offset: int) -> None:
    """Start in real mode at `selector`:`offset`, everything else as after reset."""
    reset(regs)
    regs.set_segment(CS, Segment(selector, selector << 4, 0xFFFF, CODE))
    regs.set_segment(SS, Segment(0, 0, 0xFFFF, DATA))
    regs.rip = offset
