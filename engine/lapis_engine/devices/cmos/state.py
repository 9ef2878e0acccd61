"""What CMOS remembers."""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.cmos import regs


@dataclass(slots=True)
class CmosState:
    """`ram` is the machine's description; the others are as after power-up."""

    ram: bytes
    """All 128 cells; those of the clock and of A to D are not looked at."""
    index: int = 0
    """Cell that the data port reaches."""
    nmi_disabled: bool = False
    """Index port bit 7. # Not modelled: NMIs are not held back by it."""
    status_a: int = regs.STATUS_A_RESET
    """A without UIP."""
    status_b: int = regs.STATUS_B_RESET
    """B."""
