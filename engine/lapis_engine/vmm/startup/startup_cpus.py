"""INIT and SIPI in FreeBSD: the set startup_cpus, and exits to userspace.

FreeBSD `vlapic_icrlo_write_handler`, `vm_handle_ipi`, `vm_await_start`; profile
switches boot_ipi, ipi_exit, boot_ipi_needs_active, spinup_ap_off_by_one and icr_locks.
The ICR handler only says what is to be done; `handle` does it after the backend's
handlers, where locks may be taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.cause import Cause
from lapis_engine.events import EngineFault, RunStateChanged
from lapis_engine.vmm import exits, run_state
from lapis_engine.vmm.run_state import BootIpi
from lapis_engine.vmm.startup import spinup_ap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


INACTIVE: Final = Cause("inactive", "went to an inactive vCPU and was dropped")
SHORTHAND: Final = Cause("shorthand", "names it by a shorthand, which is not looked at")
"""What is said of an INIT or SIPI that reaches nobody."""


def by_id_alone(profile: Profile) -> bool:
    """Tell whether the id in ICRHI counts alone, without the rules of other IPIs."""
    return not (profile.ipi_exit or profile.boot_ipi_needs_active)


def targets(vm: Vm, ipi: Ipi, found: tuple[int, ...]) -> tuple[int, ...]:
    """Return the destination mask, given what the ICR names among the active vCPUs.

    With IPI exits it is just that. Without them the id in ICRHI counts, active or
    not, in physical mode only, and the shorthand does not (D37093).
    """
    if not by_id_alone(vm.profile):
        return found
    number = ipi.destination
    fits = not ipi.logical and number < len(vm.vcpus) and number != ipi.sender
    return (number,) if fits else ()


def lost(profile: Profile, vcpu: Vcpu) -> Cause | None:
    """Say what happened to INIT or SIPI that names this vCPU and reached nobody."""
    if vcpu.active:
        return None
    if profile.boot_ipi_needs_active:
        return INACTIVE
    return SHORTHAND


def carry(
    vm: Vm, ipi: Ipi, targets: Iterable[int], _source: str, context: Context
) -> None:
    """Fill the exit record; `handle` reads it.

    It holds a set of targets: a second copy would find nothing left to do.
    """
    reached = tuple(dict.fromkeys(targets))
    if vm.profile.icr_locks and context == "critical":
        text = "sleeping lock (rendezvous) taken in a critical section by the ICR write"
        vm.note(EngineFault(ipi.sender, text))
    if not reached:
        return
    if context == "outside":
        lost = exits.IpiExit(ipi.mode, ipi.vector, reached)
        spinup_ap.record(vm, lost, ipi.sender, context)
        return
    vm.boot_ipi_due = BootIpi(ipi.mode, ipi.vector, reached)


def handle(vm: Vm) -> exits.Exit | None:
    """Do what the last ICR write asked for; return the exit that userspace sees."""
    due, vm.boot_ipi_due = vm.boot_ipi_due, None
    if due is None:
        return None
    if due.mode == "init":
        _await_start(vm, due.targets)
        return exits.IpiExit("init", 0, due.targets) if vm.profile.ipi_exit else None
    waiting = tuple(n for n in due.targets if vm.startup_cpus >> n & 1)
    for number in waiting:
        vm.startup_cpus &= ~(1 << number)
    if not waiting:
        return None
    if vm.profile.ipi_exit:
        return exits.IpiExit("sipi", due.vector, waiting)
    number = waiting[0] + (1 if vm.profile.spinup_ap_off_by_one else 0)
    return exits.SpinupAp(number, due.vector << 12)


def _await_start(vm: Vm, numbers: tuple[int, ...]) -> None:
    """INIT: reset the APICs of the active ones; all of them wait for SIPI."""
    for number in numbers:
        vcpu = vm.vcpus[number]
        vm.startup_cpus |= 1 << number
        if vcpu.active:
            apic_state.init(vcpu.apic, vm.profile)
        before, vcpu.run_state = vcpu.run_state, run_state.INIT
        why = "INIT, now in startup_cpus"
        vm.note(RunStateChanged(number, before, run_state.INIT, why))
    vm.timers.moved = True
