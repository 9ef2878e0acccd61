"""MOV to and from the debug registers (SDM Vol. 2B "MOV-Move to/from Debug Registers").

The processor underneath has seen to the CPL, and to the registers from DR8 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import fault as faults
from lapis_engine.cpu import intercepts
from lapis_engine.cpu.debug_registers import (
    CR4_DE,
    DR6_FIXED,
    DR6_MASK,
    DR7_FIXED,
    DR7_MASK,
)
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.units import MASK32
from lapis_engine.vmm import debug, intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import Intercepted
    from lapis_engine.vmm.vm import Run

ALIASES: Final = {4: 6, 5: 7}
"""What DR4 and DR5 are while CR4.DE is 0."""


def carry_out(run: Run, hw: Intercepted) -> None:
    """Do the MOV at RIP: #UD before #DB by DR7.GD before #GP."""
    vm, vcpu = run.vm, run.vcpu
    regs = vcpu.regs
    number, write = hw.code & 7, hw.code >= intercepts.DR_WRITE
    if number in ALIASES:
        if regs.cr4 & CR4_DE:
            vm.raise_fault(vcpu, GuestFault(faults.UD))
            return
        number = ALIASES[number]
    if debug.is_guarded(run):
        return
    register = intercepted.modrm_rm(vm.memory, vcpu)
    if not write:
        regs.gpr[register] = regs.dr[number]
        if regs.code_bits != 64:
            regs.gpr[register] = regs.dr[number] & MASK32
    else:
        value = regs.gpr[register]
        if regs.code_bits != 64:
            value &= MASK32
        elif number in {6, 7} and value >> 32:
            vm.raise_fault(vcpu, GuestFault(faults.GP, 0))
            return
        _set(run, number, value)
    intercepted.skip(run)


def _set(run: Run, number: int, value: int) -> None:
    regs = run.vcpu.regs
    if number == 6:
        value = value & DR6_MASK | DR6_FIXED
    elif number == 7:
        value = value & DR7_MASK | DR7_FIXED
    regs.dr[number] = value
    run.vm.core.arm_guest(regs, run.vcpu.linear.peek)
