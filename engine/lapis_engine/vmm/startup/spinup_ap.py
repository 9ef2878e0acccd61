"""INIT and SIPI before illumos 13275: vCPU 0 alone starts APs, through SPINUP_AP.

bhyve `vlapic_icrlo_write_handler`, `vm_req_spinup_ap` (e0c0d44e); profile switches
boot_ipi, icr_refused and spinup_ap_kept. A vCPU goes from BS_INIT by INIT to BS_SIPI
and by SIPI to BS_RUNNING, and never back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cause import Cause
from lapis_engine.events import EngineFault, Oddity, RunStateChanged
from lapis_engine.vmm import exits, run_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vm import Vm

SIPI_IGNORED: Final = "SIPI ignored"
"""Name of the oddity that a SIPI out of turn is."""


def refusal(vm: Vm, ipi: Ipi) -> Cause | None:
    """Return why the kernel does not do this ICR write, or None.

    FIXED and NMI are done with every shorthand; INIT and SIPI only from vCPU 0 to a
    destination that is neither 0 nor beyond the vCPUs, their shorthand unread.
    """
    if ipi.mode in {"fixed", "nmi"}:
        return None
    if ipi.mode not in {"init", "sipi"}:
        return Cause("userspace", f"{ipi.mode} is left to userspace")
    if ipi.mode == "init" and not ipi.assert_:
        return None
    if ipi.sender != 0:
        text = f"{ipi.mode} is taken from vCPU 0 only, not from vCPU {ipi.sender}"
        return Cause("not-from-bsp", text)
    if not 0 < ipi.destination < len(vm.vcpus):
        text = (
            f"{ipi.mode} has ICRHI destination {ipi.destination:#x}, and the shorthand "
            f"{ipi.shorthand} is not looked at"
        )
        return Cause("icrhi", text)
    return None


def targets(vm: Vm, ipi: Ipi, _found: tuple[int, ...]) -> tuple[int, ...]:
    """Return whom INIT or SIPI reaches: the id in ICRHI, if there is that vCPU."""
    return (ipi.destination,) if ipi.destination < len(vm.vcpus) else ()


def carry(
    vm: Vm, ipi: Ipi, reached: Iterable[int], _source: str, context: Context
) -> None:
    """Move the boot states of the targets."""
    for number in reached:
        vm.attention.kick = True
        if ipi.mode == "init":
            init(vm, number)
        else:
            sipi(vm, number, ipi.vector, ipi.sender, context)


def init(vm: Vm, number: int) -> None:
    """INIT: BS_INIT becomes BS_SIPI; in any other state it is ignored."""
    vcpu = vm.vcpus[number]
    before = vcpu.run_state
    if before != run_state.HALT:
        vm.note(Oddity(number, "INIT ignored", "boot state is not BS_INIT"))
        return
    vcpu.run_state = run_state.INIT
    vm.note(RunStateChanged(number, before, run_state.INIT, "BS_INIT -> BS_SIPI"))


def sipi(vm: Vm, number: int, vector: int, sender: int, context: Context) -> None:
    """SIPI: BS_SIPI becomes BS_RUNNING and SPINUP_AP is owed to userspace."""
    state = vm.spinup
    waits = vm.vcpus[number].run_state == run_state.INIT
    if not waits or state.running >> number & 1:
        vm.note(Oddity(number, SIPI_IGNORED, "boot state is not BS_SIPI"))
        return
    state.running |= 1 << number
    request = exits.SpinupAp(number, vector << 12)
    if vm.profile.spinup_ap_kept == "stash":
        state.superseded += state.request is not None
        state.request = request
    else:
        record(vm, request, sender, context)


def record(
    vm: Vm, request: exits.SpinupAp | exits.IpiExit, sender: int, context: Context
) -> None:
    """Write the exit record of `sender`; outside `vm_run` nobody will read it."""
    if context != "outside":
        vm.exit_due = request
        return
    text = (
        f"exit record of vCPU {sender} written outside VM_RUN: {request.code} "
        f"({request.text}) is lost"
    )
    vm.note(EngineFault(sender, text))


def due(vm: Vm, number: int) -> exits.SpinupAp | None:
    """Return what vCPU `number` owes to userspace before it enters the guest."""
    if number != 0:
        return None
    request, vm.spinup.request = vm.spinup.request, None
    return request
