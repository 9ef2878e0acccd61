"""What may be written to a control register.

SDM Vol. 2B "MOV - Move to/from Control Registers"; Vol. 3A "Control Registers". CPL
was looked at before.
# Not modelled: reserved bits of the PDPTEs that PAE paging loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR4_PAE,
    CS,
    EFER_LMA,
    EFER_LME,
    SEG_L,
)

if TYPE_CHECKING:
    from lapis_engine.cpu.model.record import CpuModel
    from lapis_engine.cpu.registers import Registers

CR0_NW: Final = 1 << 29
CR0_CD: Final = 1 << 30
PHYSICAL_BITS: Final = 40
"""MAXPHYADDR, as CPUID 80000008H says."""


def cr0_breach(regs: Registers, value: int) -> Breach | None:
    """Return which rule writing `value` to CR0 breaks, or None."""
    if value >> 32:
        return Breach.CR0_HIGH
    if value & CR0_PG and not value & CR0_PE:
        return Breach.CR0_PG_PE
    if value & CR0_NW and not value & CR0_CD:
        return Breach.CR0_NW_CD
    if value & CR0_PG and not regs.paging and regs.efer & EFER_LME:
        if not regs.cr4 & CR4_PAE:
            return Breach.CR0_PAE
        if regs.segment(CS).flags & SEG_L:
            return Breach.CR0_CS_L
    if regs.paging and not value & CR0_PG and regs.code_bits == 64:
        return Breach.CR0_64
    return None


def cr3_breach(regs: Registers, value: int) -> Breach | None:
    """Return which rule writing `value` to CR3 breaks, or None.

    # Differs from the SDM: only a strict machine looks, as to stop there takes long.
    """
    is_long = regs.efer & EFER_LMA
    return Breach.CR3_RESERVED if is_long and value >> PHYSICAL_BITS else None


def cr4_breach(regs: Registers, value: int, model: CpuModel) -> Breach | None:
    """Return which rule writing `value` to CR4 breaks, or None."""
    if value & ~model.cr4:
        return Breach.CR4_RESERVED
    if regs.efer & EFER_LMA and not value & CR4_PAE:
        return Breach.CR4_PAE
    return None
