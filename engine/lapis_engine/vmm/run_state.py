"""The boot state machine of a vCPU (bhyve `vm_run_state`, `vcpu_run_state_pending`).

States in INIT-SIPI-SIPI on an AP: 0, 0x4000, 0x1, 0x8001, 0x3, 0x8003.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.events import InitReceived, RunStateChanged, SipiReceived

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu

HALT = 0
INIT = 1 << 0
RUN = 1 << 1
PEND_INIT = 1 << 14
PEND_SIPI = 1 << 15


def is_pending(state: int) -> bool:
    """Tell whether the state machine has something to do before the guest runs."""
    return state & (RUN | PEND_INIT) != RUN


def can_run(state: int) -> bool:
    """Tell whether the state machine leads to the guest now, without outside help."""
    if state & (RUN | PEND_INIT):
        return True
    return state & (INIT | PEND_SIPI) == INIT | PEND_SIPI


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
    if why and not latched:
        return (received,)
    vcpu.run_state = before | PEND_SIPI
    vcpu.sipi_vector = vector
    text = f"SIPI {vector:#04x} latched"
    return (received, RunStateChanged(vcpu.id, before, vcpu.run_state, text))


def _untimely(state: int, *, latched: bool) -> str:
    """Say why a SIPI does not start a vCPU in this state, or nothing."""
    if state & RUN and not state & PEND_INIT:
        return "the vCPU already runs"
    if not state & (INIT | PEND_INIT):
        return "no INIT came before it"
    if state & PEND_SIPI and not latched:
        return "an earlier SIPI starts it"
    return ""


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


def name(state: int) -> str:
    """Say it in the words of users: never-started, wait-for-sipi or running."""
    if state & PEND_INIT:
        return "wait-for-sipi"
    if state & RUN:
        return "running"
    return "wait-for-sipi" if state & INIT else "never-started"
