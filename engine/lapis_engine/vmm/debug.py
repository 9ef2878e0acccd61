"""When a debug exception is due, and what DR6 says of it.

SDM Vol. 3B "Debug Exceptions" and Vol. 3A "Priority Among Simultaneous Events". A
breakpoint on an instruction is a fault before it; one on data or a port, and the single
step, are traps after it, whoever carried the instruction out. The user's own
breakpoints are none of this: they stop the run first, and the guest never sees them.

# Not modelled: single steps on branches (BTF), and all of IA32_DEBUGCTL: a bit of it is
# refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.debug_registers import (
    DR6_BD,
    DR6_HITS,
    DR7_GD,
    Armed,
    armed,
)
from lapis_engine.cpu.fault import DB, GuestFault
from lapis_engine.cpu.registers import DR6_BS, RF
from lapis_engine.events import DebugHit

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Run


def is_broken_at(run: Run) -> bool:
    """Raise #DB if a debug register waits for the instruction at RIP; tell whether.

    RFLAGS.RF lets one through, and so does a MOV to SS before it.
    """
    regs = run.vcpu.regs
    if not regs.is_armed or regs.rflags & RF:
        return False
    at, hits = regs.linear_rip, 0
    for it in armed(regs):
        if it.what == "execute" and it.address == at:
            hits |= 1 << it.number
    if not hits or is_held(run):
        return False
    _raise(run, hits)
    return True


def is_guarded(run: Run) -> bool:
    """Raise #DB if DR7.GD guards the debug registers; tell whether."""
    vcpu = run.vcpu
    if not vcpu.regs.dr[7] & DR7_GD:
        return False
    run.vm.note(DebugHit(vcpu.id, "dr-access", None, None, 0, vcpu.regs.rip))
    vcpu.regs.dr[6] |= DR6_BD
    run.vm.raise_fault(vcpu, GuestFault(DB))
    return True


def after(run: Run, *, hits: int, single: bool) -> None:
    """Raise the traps of the instruction before RIP: this is the one place for them.

    `hits` are bits 3:0 of DR6, `single` is RFLAGS.TF as it was before. MOV to SS and
    POP SS hold off what data has set off, and take the single step back.
    """
    vcpu = run.vcpu
    for it in armed(vcpu.regs):
        if it.what != "execute":
            vcpu.debug_due |= hits & 1 << it.number
    if vcpu.debug_due and is_held(run):
        return
    release(run, single=single and not is_held(run))


def release(run: Run, *, single: bool = False) -> bool:
    """Raise the traps that are due, unless a MOV SS or an event holds them off."""
    vcpu = run.vcpu
    hits = vcpu.debug_due
    if not (hits or single) or vcpu.event is not None or (hits and is_held(run)):
        return False
    vcpu.debug_due = 0
    if single:
        vcpu.regs.dr[6] |= DR6_BS
    _raise(run, hits)
    return True


def is_held(run: Run) -> bool:
    """Tell whether the last instruction was MOV to SS or POP SS, and not STI."""
    return run.vcpu.in_ss_shadow and run.vcpu.regs.shadow


def _raise(run: Run, hits: int) -> None:
    """Raise #DB for `hits`; those that were there before go."""
    vm, vcpu = run.vm, run.vcpu
    regs = vcpu.regs
    for it in armed(regs):
        if hits >> it.number & 1:
            vm.note(_hit(vcpu, it))
    if hits:
        regs.dr[6] = regs.dr[6] & ~DR6_HITS | hits
    vm.raise_fault(vcpu, GuestFault(DB))


def _hit(vcpu: Vcpu, it: Armed) -> DebugHit:
    return DebugHit(vcpu.id, it.what, it.number, it.address, it.size, vcpu.regs.rip)
