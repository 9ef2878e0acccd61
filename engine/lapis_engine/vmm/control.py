"""MOV to a control register: checked, and then done.

SDM Vol. 2B "MOV - Move to/from Control Registers". What breaks a rule is #GP(0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import access as apic
from lapis_engine.cpu import control, intercepts
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, GuestFault
from lapis_engine.units import MASK32
from lapis_engine.vmm import fabric, intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import HwExit, Intercepted
    from lapis_engine.vmm.vm import Run

MOV_TO: Final = 0x22
"""Opcode after 0F; CLTS and LMSW write CR0, too, and break no rule."""


def cr0(run: Run, hw: Intercepted) -> HwExit | None:
    """MOV to CR0, CLTS or LMSW; reserved bits of the lower half are dropped."""
    vm, vcpu = run.vm, run.vcpu
    if intercepted.two_byte(vm, vcpu) != MOV_TO:
        return _native(run, hw)
    register = intercepted.modrm_rm(vm, vcpu)
    gpr = vcpu.regs.gpr
    given, value = gpr[register], _source(run)
    breach = control.cr0_breach(vcpu.regs, value)
    if breach is not None:
        _refuse(run, breach, value, vcpu.regs.cr4)
        return None
    gpr[register] = value & vm.cpu.model.cr0
    result = _native(run, hw)
    gpr[register] = given
    return result


def cr3(run: Run, _hw: Intercepted) -> None:
    """MOV to CR3: all translations go."""
    value = _source(run)
    breach = control.cr3_breach(run.vcpu.regs, value)
    if breach is not None:
        _refuse(run, breach, value)
        return
    run.vcpu.regs.cr3 = value
    intercepted.skip(run)


def cr4(run: Run, hw: Intercepted) -> HwExit | None:
    """MOV to CR4."""
    value, model = _source(run), run.vm.cpu.model
    breach = control.cr4_breach(run.vcpu.regs, value, model)
    if breach is not None:
        _refuse(run, breach, value, value & ~model.cr4)
        return None
    return _native(run, hw)


def cr8(run: Run, hw: Intercepted) -> None:
    """MOV to and from CR8: the register is in ModRM.rm, extended by REX.B."""
    vm, vcpu = run.vm, run.vcpu
    register = intercepted.modrm_rm(vm, vcpu)
    gpr = vcpu.regs.gpr
    if hw.code == intercepts.CR8_READ:
        gpr[register] = apic.read_cr8(vcpu.apic)
    else:
        outcome = apic.write_cr8(vcpu.apic, gpr[register])
        if outcome is None:
            _refuse(run, Breach.CR8_RESERVED, gpr[register])
            return
        fabric.route(vm, outcome)
    intercepted.skip(run)


def _source(run: Run) -> int:
    """Return what the instruction moves: 64 bits in 64-bit code, else 32."""
    regs = run.vcpu.regs
    value = regs.gpr[intercepted.modrm_rm(run.vm, run.vcpu)]
    return value if regs.code_bits == 64 else value & MASK32


def _native(run: Run, hw: Intercepted) -> HwExit:
    result = intercepted.native(run, hw)
    intercepted.see_mode(run.vm, run.vcpu)
    return result


def _refuse(run: Run, breach: Breach, *values: int) -> None:
    run.vm.raise_fault(run.vcpu, GuestFault(GP, 0, rule=breach, values=values))
