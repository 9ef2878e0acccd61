"""What the clock remembers.

Its divider turns with virtual time: the seconds are those of `mark`, as long as they
run.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.cmos import regs as cmos_regs
from lapis_engine.devices.rtc import regs


@dataclass(slots=True)
class RtcState:
    """`ram` is the machine's description; the others are as after power-up."""

    ram: bytes
    """All 128 cells; those of the clock and of A to D are not looked at."""
    index: int = 0
    """Cell that the data port reaches."""
    nmi_disabled: bool = False
    """Index port bit 7. # Not modelled: NMIs are not held back by it."""
    status_a: int = cmos_regs.STATUS_A_RESET
    """A without UIP."""
    status_b: int = regs.FORM_RESET
    """B without what the RESET pin clears."""
    enables: int = 0
    """The rest of B: PIE, AIE, UIE, SQWE."""
    flags: int = 0
    """C without IRQF, as of `seen`."""
    seen: int = 0
    """ns up to which `flags` knows what has happened."""
    second: int = 0
    """Seconds since 2000-01-01 00:00 at `mark`, of a clock that runs."""
    weekday: int = 0
    """Days by which the day of the week is ahead of the calendar's, 0 to 6."""
    mark: int = 0
    """ns at which a second of the divider began."""
    cells: bytes | None = None
    """The cells of the clock while it stands, in the order of `regs.CLOCK`."""
    line: bool = False
    """Level of the interrupt line as last signalled."""
    settle_at: int | None = None
    """When the line follows a read of C, ns."""
