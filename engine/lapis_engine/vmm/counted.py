"""RDPMC, XSETBV, and bit scans where bit counts are not offered.

SDM Vol. 2B "RDPMC"; Vol. 2D "XSETBV"; Vol. 2A "BSF", "BSR".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, UD, GuestFault
from lapis_engine.cpu.registers import (
    CF,
    CR0_PE,
    CR4_OSXSAVE,
    RAX,
    RCX,
    RDX,
    STATUS_FLAGS,
    ZF,
)
from lapis_engine.units import MASK32
from lapis_engine.vmm import intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

CR4_PCE: Final = 1 << 8
BSR: Final = 0xBD


def rdpmc(run: Run, _mark: Mark) -> None:
    """#GP(0): there is no counter, whatever ECX names."""
    regs = run.vcpu.regs
    is_closed = regs.cpl and regs.cr0 & CR0_PE and not regs.cr4 & CR4_PCE
    rule = Breach.RDPMC_PCE if is_closed else Breach.RDPMC_COUNTER
    values = (regs.cpl, regs.cr4) if is_closed else (regs.gpr[RCX] & MASK32,)
    run.vm.raise_fault(run.vcpu, GuestFault(GP, 0, rule=rule, values=values))


def xsetbv(run: Run, mark: Mark) -> bool:
    """Do XSETBV; False with a prefix that is #UD."""
    at = mark.opcode_at
    if {0x66, 0xF2, 0xF3} & set(mark.code[:at]):
        return False
    regs, model = run.vcpu.regs, run.vm.cpu.model
    gpr = regs.gpr
    value = (gpr[RDX] & MASK32) << 32 | gpr[RAX] & MASK32
    if not regs.cr4 & CR4_OSXSAVE:
        fault = GuestFault(UD, rule=Breach.OSXSAVE, values=(regs.cr4,))
    elif regs.cpl:
        fault = GuestFault(GP, 0, rule=Breach.XSETBV_CPL, values=(regs.cpl,))
    elif number := gpr[RCX] & MASK32:
        fault = GuestFault(GP, 0, rule=Breach.XCR_NUMBER, values=(number,))
    elif value & ~model.xcr0 or not value & 1:
        values = value, model.xcr0
        fault = GuestFault(GP, 0, rule=Breach.XCR0_BITS, values=values)
    else:
        regs.xcr0 = value
        intercepted.retire(run, at + 3)
        return True
    run.vm.raise_fault(run.vcpu, fault)
    return True


def before_scan(run: Run, mark: Mark) -> int:
    """Return the destination of a bit scan."""
    return int(run.vcpu.regs.gpr[_destination(run, mark)])


def after_scan(run: Run, mark: Mark, before: int) -> None:
    """Make of a count what the scan would have found, if it has retired.

    A source of zero leaves the destination and sets ZF. # Differs from the SDM: the
    other flags, which are undefined, are clear.
    """
    regs = run.vcpu.regs
    if not run.vm.core.retired:
        return
    register = _destination(run, mark)
    at, code = mark.opcode_at, mark.code
    is_zero = bool(regs.rflags & CF)
    regs.rflags = regs.rflags & ~STATUS_FLAGS | (ZF if is_zero else 0)
    if is_zero:
        regs.gpr[register] = before
    elif code[at + 1] == BSR:
        size = _bits(run, code[:at])
        regs.gpr[register] = regs.gpr[register] & ~(size - 1) | size - 1 - (
            regs.gpr[register] & size - 1
        )


def _rex(run: Run, prefixes: bytes) -> int:
    is_rex = run.vcpu.regs.code_bits == 64 and prefixes and prefixes[-1] & 0xF0 == 0x40
    return prefixes[-1] if is_rex else 0


def _destination(run: Run, mark: Mark) -> int:
    at = mark.opcode_at
    extended = _rex(run, mark.code[:at]) & 4
    return mark.code[at + 2] >> 3 & 7 | extended << 1


def _bits(run: Run, prefixes: bytes) -> int:
    if _rex(run, prefixes) & 8:
        return 64
    is_short = (run.vcpu.regs.code_bits == 16) != (0x66 in prefixes)
    return 16 if is_short else 32
