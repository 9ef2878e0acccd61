"""Whether the guest may use a port: CPL against IOPL, then the TSS bitmap.

The processor underneath leaves this check out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.case import IOPL_SHIFT
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, GuestFault
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import CR0_PE, IOPL, VM

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu

TSS_TYPES: Final = frozenset({9, 11})
"""Descriptor types of an available and a busy 32 or 64-bit TSS."""
BITMAP_BASE: Final = 0x66
"""Offset in the TSS of the 16-bit offset of the I/O permission bitmap."""
TSS_LIMIT: Final = 103


def check_port(vcpu: Vcpu, port: int, size: int) -> None:
    """Raise `GuestFault`, #GP(0), unless all `size` ports from `port` are open.

    SDM Vol. 1 "I/O Permission Bit Map". A TSS that cannot be read is a #PF.
    """
    regs = vcpu.regs
    if not regs.cr0 & CR0_PE:
        return
    rflags = regs.rflags
    if regs.cpl <= (rflags & IOPL) >> IOPL_SHIFT and not rflags & VM:
        return
    if not _bitmap_allows(vcpu, port, size):
        iopl = (rflags & IOPL) >> IOPL_SHIFT
        values = port, size, regs.cpl, iopl, regs.tr.selector
        raise GuestFault(GP, 0, rule=Breach.PORT_CLOSED, values=values)


def _bitmap_allows(vcpu: Vcpu, port: int, size: int) -> bool:
    tr = vcpu.regs.tr
    if (tr.flags >> 8) & 0xF not in TSS_TYPES or tr.limit < TSS_LIMIT:
        return False
    try:
        base = int.from_bytes(vcpu.linear.read(tr.base + BITMAP_BASE, 2), "little")
        at = base + port // 8
        if at + 1 > tr.limit:
            return False
        bitmap = int.from_bytes(vcpu.linear.read(tr.base + at, 2), "little")
    except LinearHole:  # reads as all ones, which closes every port
        return False
    return not (bitmap >> (port % 8)) & ((1 << size) - 1)
