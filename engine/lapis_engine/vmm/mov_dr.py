"""MOV to and from the debug registers (SDM Vol. 2B "MOV-Move to/from Debug Registers").

The processor underneath has seen to the CPL, and at CPL 0 to those from DR8 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import fault as faults
from lapis_engine.cpu import intercepts
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.debug_registers import (
    CR4_DE,
    DR6_FIXED,
    DR6_MASK,
    DR7_FIXED,
    DR7_MASK,
)
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.marked import TWO_BYTE
from lapis_engine.cpu.registers import VM
from lapis_engine.units import MASK32
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vmm import debug, intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import Intercepted
    from lapis_engine.vmm.vm import Run

ALIASES: Final = {4: 6, 5: 7}
"""What DR4 and DR5 are while CR4.DE is 0."""
OPCODES: Final = frozenset({0x21, 0x23})
"""Behind 0F."""
REX_R: Final = 4


def carry_out(run: Run, hw: Intercepted) -> None:
    """Do the MOV at RIP: #UD before #DB by DR7.GD before #GP."""
    vm, vcpu = run.vm, run.vcpu
    regs = vcpu.regs
    number, write = hw.code & 7, hw.code >= intercepts.DR_WRITE
    if number in ALIASES:
        if regs.cr4 & CR4_DE:
            values = number, regs.cr4
            fault = GuestFault(faults.UD, rule=Breach.CR4_DE, values=values)
            vm.raise_fault(vcpu, fault)
            return
        number = ALIASES[number]
    if debug.is_guarded(run):
        return
    register = intercepted.modrm_rm(vm, vcpu)
    if not write:
        regs.gpr[register] = regs.dr[number]
        if regs.code_bits != 64:
            regs.gpr[register] = regs.dr[number] & MASK32
    else:
        value = regs.gpr[register]
        if regs.code_bits != 64:
            value &= MASK32
        elif number in {6, 7} and value >> 32:
            values = number, value
            fault = GuestFault(faults.GP, 0, rule=Breach.DR_HIGH, values=values)
            vm.raise_fault(vcpu, fault)
            return
        _set(run, number, value)
    intercepted.skip(run)


def is_undefined(run: Run) -> bool:
    """Tell whether RIP is at a MOV of a debug register that there is not.

    The processor has #GP(0) at CPL 3 first; but what is no instruction is found when it
    is decoded (SDM Vol. 3A "Priority Among Concurrent Events"). Virtual-8086 mode
    has #GP(0) for all of them.
    """
    regs = run.vcpu.regs
    if not regs.cpl or regs.rflags & VM:
        return False
    code = intercepted.code_at(run.vm, run.vcpu)
    try:
        at = read_prefixes(code, regs.code_bits)
        if at.byte() != TWO_BYTE or at.byte() not in OPCODES:
            return False
        number = at.byte() >> 3 & 7
    except IndexError:
        return False
    return bool(at.rex & REX_R) or (number in ALIASES and bool(regs.cr4 & CR4_DE))


def _set(run: Run, number: int, value: int) -> None:
    regs = run.vcpu.regs
    if number == 6:
        value = value & DR6_MASK | DR6_FIXED
    elif number == 7:
        value = value & DR7_MASK | DR7_FIXED
    regs.dr[number] = value
    run.vm.core.arm_guest(regs, run.vcpu.linear.peek)
