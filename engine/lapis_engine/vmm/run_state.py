"""Where vCPUs are on their way from reset to running, as numbers and records.

bhyve `vm_run_state`, `vcpu_run_state_pending`. States in INIT-SIPI-SIPI on an AP: 0,
0x4000, 0x1, 0x8001, 0x3, 0x8003. What moves them is in `startup`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lapis_engine.vmm.exits import SpinupAp

HALT: Final = 0
INIT: Final = 1 << 0
RUN: Final = 1 << 1
PEND_INIT: Final = 1 << 14
PEND_SIPI: Final = 1 << 15


def is_pending(state: int) -> bool:
    """Tell whether the state machine has something to do before the guest runs."""
    return state & (RUN | PEND_INIT) != RUN


def can_run(state: int) -> bool:
    """Tell whether the state machine leads to the guest now, without outside help."""
    if state & (RUN | PEND_INIT):
        return True
    return state & (INIT | PEND_SIPI) == INIT | PEND_SIPI


def name(state: int) -> str:
    """Say it in the words of users: never-started, wait-for-sipi or running."""
    if state & PEND_INIT:
        return "wait-for-sipi"
    if state & RUN:
        return "running"
    return "wait-for-sipi" if state & INIT else "never-started"


@dataclass(slots=True)
class SpinupState:
    """What the VM remembers of starting APs under boot_ipi spinup-ap."""

    running: int = 1
    """vCPUs in BS_RUNNING, a bit each."""
    request: SpinupAp | None = None
    """The next exit of vCPU 0 (`sipi_req`)."""
    superseded: int = 0
    """Requests that were overwritten before they got out (`sipi_supersede`)."""


class BootIpi(NamedTuple):
    """INIT or SIPI between the ICR handler and `vm_handle_ipi`."""

    mode: str
    vector: int
    targets: tuple[int, ...]
