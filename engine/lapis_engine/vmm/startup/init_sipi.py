"""INIT and SIPI by the target's run-state: made pending, and taken at an entry.

bhyve since illumos 13275: `vm_inject_init`, `vm_inject_sipi`, `vm_handle_run_state`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cause import Cause
from lapis_engine.events import InitReceived, RunStateChanged, SipiReceived
from lapis_engine.vmm.run_state import INIT, PEND_INIT, PEND_SIPI, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

RUNS: Final[Cause] = Cause("runs", "the vCPU already runs")
NO_INIT: Final[Cause] = Cause("no-init", "no INIT came before it")
EARLIER: Final[Cause] = Cause("earlier", "an earlier SIPI starts it")


def carry(
    vm: Vm, ipi: Ipi, targets: Iterable[int], source: str, _context: Context
) -> None:
    """Make INIT or SIPI pending at its targets."""
    profile = vm.profile
    for target in targets:
        vcpu, vm.attention.kick = vm.vcpus[target], True
        if ipi.mode == "init":
            clears = profile.init_clears_sipi
            vm.note(*inject_init(vcpu, source, clears_sipi=clears))
        else:
            latched = profile.sipi_latched
            vm.note(*inject_sipi(vcpu, ipi.vector, source, latched=latched))


def inject_init(
    vcpu: Vcpu, source: str, *, clears_sipi: bool = True
) -> tuple[InitReceived, RunStateChanged]:
    """Make INIT pending (`vm_inject_init`).

    A latched SIPI is forgotten (illumos 13645, profile switch init_clears_sipi).
    """
    before = vcpu.run_state
    vcpu.run_state = before | PEND_INIT
    if clears_sipi:
        vcpu.run_state &= ~PEND_SIPI
    return (
        InitReceived(vcpu.id, source),
        RunStateChanged(vcpu.id, before, vcpu.run_state, "INIT pending"),
    )


def inject_sipi(
    vcpu: Vcpu, vector: int, source: str, *, latched: bool = True
) -> tuple[SipiReceived] | tuple[SipiReceived, RunStateChanged]:
    """Latch a SIPI; the vector is overwritten every time (`vm_inject_sipi`).

    Without `latched` it counts only after INIT, and only the first one (SDM Vol. 3A
    "MP Initialization Protocol Algorithm"; profile switch sipi_latched).
    # Differs from the SDM: a vCPU that was never started wants INIT first.
    """
    before = vcpu.run_state
    why = _untimely(before, latched=latched)
    received = SipiReceived(vcpu.id, vector, source, why)
    if why is not None and not latched:
        return (received,)
    vcpu.run_state = before | PEND_SIPI
    vcpu.sipi_vector = vector
    text = f"SIPI {vector:#04x} latched"
    return (received, RunStateChanged(vcpu.id, before, vcpu.run_state, text))


def _untimely(state: int, *, latched: bool) -> Cause | None:
    """Return why a SIPI does not start a vCPU in this state, or None."""
    if state & RUN and not state & PEND_INIT:
        return RUNS
    if not state & (INIT | PEND_INIT):
        return NO_INIT
    if state & PEND_SIPI and not latched:
        return EARLIER
    return None


def take_init(vcpu: Vcpu, *, restart: bool) -> RunStateChanged:
    """Go from INIT pending to wait-for-SIPI, or with `restart` straight to running."""
    before = vcpu.run_state
    vcpu.run_state = (before & ~(RUN | PEND_INIT)) | INIT | (RUN if restart else 0)
    why = "INIT taken, restart at the reset vector" if restart else "INIT taken"
    return RunStateChanged(vcpu.id, before, vcpu.run_state, why)


def take_sipi(vcpu: Vcpu) -> RunStateChanged | None:
    """Start a vCPU that waits for SIPI and has one latched."""
    before = vcpu.run_state
    if before & (INIT | RUN | PEND_SIPI) != INIT | PEND_SIPI:
        return None
    vcpu.run_state = (before & ~PEND_SIPI) | RUN
    why = f"SIPI {vcpu.sipi_vector:#04x} taken, start at {vcpu.sipi_vector << 12:#x}"
    return RunStateChanged(vcpu.id, before, vcpu.run_state, why)
