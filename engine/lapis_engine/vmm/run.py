"""`vm_run`: the loop between one entry and one exit (bhyve `vm_run`).

Order of a round: entry command, what is pending, run-state, sleep, one event into
the processor, run, deal with what it reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import intercepts
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import PAUSE, Budget
from lapis_engine.errors import EntryError
from lapis_engine.vmm import (
    arbitration,
    clock,
    debug,
    emulation,
    exits,
    handlers,
    intercepted,
    plain,
    run_state,
)
from lapis_engine.vmm.entry import DEFAULT, Default, Entry
from lapis_engine.vmm.startup import power_on, spinup_ap, startup_cpus
from lapis_engine.vmm.vm import Run

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

FAULTS: Final = 1000
"""Exceptions without an instruction retired before the user is told."""


def run(
    vm: Vm,
    vcpu: Vcpu,
    entry: Entry = DEFAULT,
    budget: int = 1,
    *,
    pause_yields: bool = False,
    by: str = "user",
    goes_on: bool = False,
) -> Run:
    """Enter `vcpu` for at most `budget` instructions; say why and how it came back.

    With `pause_yields` it comes back at a PAUSE too. `by` is who gives the entry
    command: user, rule N or device. It `goes_on` if nothing was done to the machine
    since the last entry of any vCPU. Raises `EntryError` when `entry` is refused, or
    the vCPU is not active.
    """
    if not vcpu.active:
        raise EntryError("EINVAL", f"vCPU {vcpu.id} is not active")
    attention = vm.attention
    attention.kick = attention.stop_asked = False
    if vm.suspended is not None and not isinstance(entry, Default):
        raise EntryError("EINVAL", f"the machine is suspended ({vm.suspended.how})")
    this = Run(vm, vcpu, budget, pause_yields)
    vm.entered = vcpu.id
    if not goes_on:
        vm.core.answers.forget()
    vm.core.arm_guest(vcpu.regs, vcpu.linear.peek)
    try:
        out = None if entry is DEFAULT else emulation.enter(this, entry, by)
        while out is None:
            out = _round(this, is_consistent_asked=entry.exit_consistent)
            if vm.on_round is not None:
                vm.on_round()
    finally:
        vm.entered = None
    this.exit, this.kicked = vm.panic or out, attention.kick
    return this


def _round(run: Run, *, is_consistent_asked: bool) -> exits.Exit | None:
    vm, vcpu, attention = run.vm, run.vcpu, run.vm.attention
    blocked = _blocked(vm, vcpu)
    if blocked is not None:
        return blocked
    if is_consistent_asked:
        return exits.BOGUS
    over = run.ran >= run.budget or run.yielded
    if (over or attention.stop_asked) and vcpu.event is None:
        return exits.BOGUS
    if vcpu.debug_due:
        debug.release(run)
    window = arbitration.inject(vm, vcpu)
    if over or attention.kick or attention.stop_asked:
        # Not modelled: a cut that does not show. Where the vCPU has just sent an IPI to
        # all, itself included, the turn moves on before it takes its own.
        return vm.suspended or exits.BOGUS
    if vm.suspended is not None or vm.panic is not None:
        return None  # reported by the next round
    if vcpu.apic.isr:
        plain.expect_eoi(vm, vcpu)
    if vcpu.debug_due and debug.release(run):
        return None
    return _execute(run, window=window)


def _blocked(vm: Vm, vcpu: Vcpu) -> exits.Exit | None:
    """Say what keeps the vCPU from the guest (`vm_loop_checks`)."""
    waiting: exits.Exit | None = vm.panic
    if waiting is None and vcpu.vie.status:
        waiting = emulation.pending(vcpu, vm.profile)
    if vm.exit_due or vm.boot_ipi_due or vm.spinup.request:
        waiting = waiting or _filled(vm, vcpu)
    waiting = waiting or (vm.suspended and _suspended(vm))
    if waiting is not None:
        return waiting
    if vcpu.event is not None:
        count = vm.faults_in_a_row(FAULTS)
        if count >= FAULTS:
            return exits.Livelock(vcpu.event.vector, vcpu.regs.rip, count)
    if vm.debug_cpus >> vcpu.id & 1:
        return exits.DebugCpu()
    if run_state.is_pending(vcpu.run_state) and not arbitration.boot(vm, vcpu):
        return exits.RunState(vcpu.run_state)
    if vcpu.halted and not arbitration.wake(vm, vcpu):
        return exits.Hlt(vcpu.regs.interrupts)
    return None


def _suspended(vm: Vm) -> exits.Exit | None:
    """Return what a suspended machine comes back with; a reset may start it again."""
    if power_on.is_due(vm):
        power_on.again(vm)
        return exits.BOGUS
    return vm.suspended


def _filled(vm: Vm, vcpu: Vcpu) -> exits.Exit | None:
    """Return an exit record that a handler has filled for this vCPU."""
    if vm.exit_due is not None:
        out, vm.exit_due = vm.exit_due, None
        return out
    if vm.boot_ipi_due is not None:
        return startup_cpus.handle(vm)
    if vm.spinup.request is not None:
        return spinup_ap.due(vm, vcpu.id)
    return None


def _handled(run: Run, hw: HwExit) -> exits.Exit | None:
    """Deal with a report; what fails behind it is the guest's, whoever met it.

    A guest that goes on by its TLB may have an access succeed for the processor, and
    fail for the engine, which walks the tables.
    """
    kind, tally = intercepts.kind(hw), run.vm.tally
    tally[kind] = tally.get(kind, 0) + 1
    try:
        return handlers.handle(run, hw)
    except GuestFault as fault:
        run.vm.raise_fault(run.vcpu, fault)
        return None


def _execute(run: Run, *, window: bool) -> exits.Exit | None:
    vm, vcpu = run.vm, run.vcpu
    linear, vcpu.stopped_at = vcpu.stopped_at, None
    past = linear is not None and linear == vcpu.regs.linear_rip
    vm.core.intercept(vcpu.regs, PAUSE, on=run.pause_yields)
    # An NMI or #DB that is still pending here waits for the end of a shadow.
    shadowed = (vcpu.nmi_pending and not vcpu.nmi_blocked) or vcpu.debug_due
    left = 1 if vcpu.mode_watch or shadowed else clock.left(run)
    watched, before = vcpu.mode_watch, run.ran
    plain.begin(vm, vcpu)
    hw = vm.core.run(vcpu.regs, left, window=window, past=past)
    plain.account(run, vm.core.retired)
    is_over = type(hw) is Budget
    out = None if is_over or plain.is_answered(run, hw) else _handled(run, hw)
    if watched and run.ran != before:  # a stop of the user's is no instruction
        if vcpu.mode_watch == watched:
            vcpu.mode_watch -= 1
        intercepted.see_mode(vm, vcpu)
    if is_over and run.ran >= run.budget:
        attention = vm.attention
        if not (attention.kick or attention.stop_asked):
            return exits.BOGUS  # which the next round would find: nothing has happened
    return out
