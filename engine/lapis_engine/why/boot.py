"""INIT and SIPI in words: what one would do, and what a vCPU waits for.

One record for each boot protocol (`vmm.startup.protocols`). What a target does is tried
out on a copy of its state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.vmm import run_state
from lapis_engine.vmm.startup import init_sipi
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


@dataclass(frozen=True, slots=True)
class BootWords:
    """The sentences about one boot protocol."""

    wakes: Callable[[Vm, Vcpu], Iterator[Reason]]
    """What would make a vCPU run that was not started."""
    effect: Callable[[Vm, Vcpu, Ipi], tuple[str, Reason]]
    """Verdict on INIT or SIPI of the user's that reaches a vCPU, and why."""


# What it waits for.


def _wakes_run_state(vm: Vm, it: Vcpu) -> Iterator[Reason]:
    state = it.run_state
    if state & run_state.INIT:
        yield allows("sipi", "a SIPI, of any vCPU", run_state=state)
        return
    yield allows("init", "INIT and then a SIPI, of any vCPU", run_state=state)
    if state & run_state.PEND_SIPI:
        fate = "forgets it" if vm.profile.init_clears_sipi else "lets it start it"
        text = f"SIPI {it.sipi_vector:#04x} is latched, and the INIT {fate}"
        yield blocks("sipi-latched", text, vector=it.sipi_vector, run_state=state)


def _wakes_spinup_ap(vm: Vm, it: Vcpu) -> Iterator[Reason]:
    """BS_INIT, BS_SIPI, BS_RUNNING: only vCPU 0 moves them (`vm_req_spinup_ap`)."""
    request = vm.spinup.request
    if request is not None and request.vcpu == it.id:
        text = f"the SPINUP_AP exit that vCPU 0 owes (start at {request.rip:#x})"
        yield allows("spinup-ap", text, start=request.rip)
    elif vm.spinup.running >> it.id & 1:
        text = "its SIPI was taken, and no second one is: SPINUP_AP was lost"
        yield blocks("boot-state", text, running=vm.spinup.running)
    else:
        what = "a SIPI" if it.run_state & run_state.INIT else "INIT and then a SIPI"
        text = f"{what}, of vCPU 0 to APIC id {it.id:#x} without shorthand"
        rule = "sipi" if it.run_state & run_state.INIT else "init"
        yield allows(rule, text, run_state=it.run_state)


def _wakes_startup_cpus(vm: Vm, it: Vcpu) -> Iterator[Reason]:
    """FreeBSD: the set startup_cpus (`vm_await_start`)."""
    profile, cpus = vm.profile, vm.startup_cpus
    named = "" if profile.ipi_exit else f" to APIC id {it.id:#x} without shorthand"
    if profile.boot_ipi_needs_active and not it.active:
        text = "INIT and SIPI reach active vCPUs only, and nothing makes it active"
        yield blocks("inactive", text, startup_cpus=cpus)
    elif cpus >> it.id & 1:
        text = f"a SIPI{named}: it is in startup_cpus ({cpus:#x})"
        yield allows("sipi", text, startup_cpus=cpus)
    else:
        text = f"INIT and then a SIPI{named}"
        yield allows("init", text, startup_cpus=cpus)


# What it would do with one.


def _effect_run_state(vm: Vm, vcpu: Vcpu, ipi: Ipi) -> tuple[str, Reason]:
    return _init(vm, vcpu) if ipi.mode == "init" else _sipi(vm, vcpu, ipi.vector)


def _effect_startup_cpus(_vm: Vm, _vcpu: Vcpu, _ipi: Ipi) -> tuple[str, Reason]:
    text = "its exit record is written outside vm_run, where nobody reads it"
    return "lost", blocks("outside-vm-run", text)


def _init(vm: Vm, vcpu: Vcpu) -> tuple[str, Reason]:
    tried, profile = replace(vcpu), vm.profile
    init_sipi.inject_init(tried, "dry run", clears_sipi=profile.init_clears_sipi)
    values = {"before": vcpu.run_state, "after": tried.run_state}
    if vcpu.id == 0 and profile.bsp_restarts_on_init:
        text, rule = (
            "INIT is pending: the BSP restarts at the reset vector",
            "bsp-restart",
        )
    else:
        text, rule = "INIT is pending: it will wait for SIPI", "init"
    if vcpu.run_state & ~tried.run_state & run_state.PEND_SIPI:
        text += ", and the latched SIPI is forgotten"
    return "accepted", Reason(rule, text, values, blocks=False)


def _sipi(vm: Vm, vcpu: Vcpu, vector: int) -> tuple[str, Reason]:
    tried, start = replace(vcpu), vector << 12
    latched = vm.profile.sipi_latched
    received = init_sipi.inject_sipi(tried, vector, "dry run", latched=latched)[0]
    values = {
        "before": vcpu.run_state, "after": tried.run_state, "vector": vector,
        "start": start,
    }  # fmt: skip
    why = received.latched
    if why and not latched:
        text = f"the SIPI is ignored: {why}"
        return "ignored", Reason("sipi-ignored", text, values, blocks=True)
    if why:
        text = f"the SIPI is latched and does not start it now: {why}"
        return "accepted", Reason("sipi-latched", text, values, blocks=True)
    text = f"the SIPI starts it at {start:#x}"
    if vcpu.run_state & run_state.PEND_SIPI:
        text += f", and no longer at {vcpu.sipi_vector << 12:#x}"
    return "accepted", Reason("sipi", text, values, blocks=False)


def _effect_spinup_ap(vm: Vm, vcpu: Vcpu, ipi: Ipi) -> tuple[str, Reason]:
    """BS_INIT, BS_SIPI, BS_RUNNING (illumos before 13275; `spinup_ap`)."""
    values = {"run_state": vcpu.run_state, "running": vm.spinup.running}
    if ipi.mode == "init":
        if vcpu.run_state != run_state.HALT:
            text = "INIT is ignored: its boot state is not BS_INIT"
            return "ignored", Reason("boot-state", text, values, blocks=True)
        text = "INIT moves it from BS_INIT to BS_SIPI"
        return "accepted", Reason("init", text, values, blocks=False)
    waits = vcpu.run_state == run_state.INIT and not vm.spinup.running >> vcpu.id & 1
    if not waits:
        text = "the SIPI is ignored: its boot state is not BS_SIPI"
        return "ignored", Reason("boot-state", text, values, blocks=True)
    if vm.profile.spinup_ap_kept == "exit-record":
        text = "its exit record is written outside vm_run, where nobody reads it"
        return "lost", Reason("outside-vm-run", text, values, blocks=True)
    text = f"vCPU 0 owes the exit SPINUP_AP, start at {ipi.vector << 12:#x}"
    return "accepted", Reason("spinup-ap", text, values, blocks=False)


WORDS: Final[Mapping[str, BootWords]] = {
    "run-state": BootWords(_wakes_run_state, _effect_run_state),
    "spinup-ap": BootWords(_wakes_spinup_ap, _effect_spinup_ap),
    "startup-cpus": BootWords(_wakes_startup_cpus, _effect_startup_cpus),
}
"""By value of boot_ipi."""


def of(profile: Profile) -> BootWords:
    """Return the sentences of a profile's protocol."""
    return WORDS[profile.boot_ipi]
