"""Guest accesses to the power management timer."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import Refused
from lapis_engine.devices.pmtimer import regs
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pmtimer.state import PmTimerState


def read(state: PmTimerState, address: int, size: int, now: int) -> int:
    """Read the count with a 4-byte IN; refuse everything else."""
    # As bhyve: a PC's chip set gives the bytes to an IN of 1 or 2 too.
    if address != regs.COUNT or size != 4:
        return -1
    # Not modelled: TMR_STS and the SCI when the highest bit changes.
    return (now - state.base) * regs.HZ // NS & regs.WIDTH


def write(
    state: PmTimerState, address: int, size: int, value: int, now: int
) -> Signals:
    """Refuse: the count is read-only."""
    return (Refused(f"the PM timer at port {regs.COUNT:#x} is read-only"),)
