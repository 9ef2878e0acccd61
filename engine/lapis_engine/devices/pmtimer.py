"""The ACPI power management timer: a 32-bit count of virtual time.

Sources: ACPI Specification 6.4 "Power Management Timer"; bhyve `vpmtmr_handler`.
"""
# ruff: noqa: ARG002 - the signatures are those of `Access`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bits
from lapis_engine.devices.device import Device, Range, Refused, RegisterName
from lapis_engine.plain import Plain
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

HZ: Final = 3_579_545
COUNT: Final = 0x408
"""PM_TMR, a dword, read-only."""
PORTS: Final = (Range(COUNT, 4),)
NAMES: Final = (RegisterName(COUNT, 4, "PM_TMR", "ACPI power management timer"),)
WIDTH: Final = bits(31, 0)
"""The count with TMR_VAL_EXT; it wraps after 1200 s."""


@dataclass(slots=True)
class PmTimerState:
    """What the timer remembers."""

    base: int = 0
    """ns of virtual time at which it counted 0."""


class PmTimerAccess:
    """Guest accesses to the timer."""

    def read(self, state: PmTimerState, address: int, size: int, now: int) -> int:
        """Read the count with a 4-byte IN; refuse everything else."""
        # As bhyve: a PC's chip set gives the bytes to an IN of 1 or 2 too.
        if address != COUNT or size != 4:
            return -1
        # Not modelled: TMR_STS and the SCI when the highest bit changes.
        return (now - state.base) * HZ // NS & WIDTH

    def write(
        self, state: PmTimerState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Refuse: the count is read-only."""
        return (Refused(f"the PM timer at port {COUNT:#x} is read-only"),)


def plain(state: PmTimerState, address: int, size: int, _now: int) -> Plain | None:
    """Return the count as it goes on, for a read that gives it."""
    if address != COUNT or size != 4:
        return None
    return Plain(0, state.base, HZ, NS, mask=int(WIDTH))


def device() -> Device:
    """Return the timer at ports 0x408 to 0x40B."""
    return Device(
        "pmtimer", PmTimerState(), PmTimerAccess(), PORTS, plain=plain, registers=NAMES
    )
