"""What power management remembers."""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.piix4_pm.header import HEADER


@dataclass(slots=True)
class Piix4PmState:
    """Reset values are the defaults."""

    config: bytes = HEADER.reset
    """Configuration space, 256 bytes."""
    status: int = 0
    """PMSTS as of `halves`."""
    enable: int = 0
    """PMEN."""
    control: int = 0
    """PMCNTRL."""
    halves: int = 0
    """Changes of bit 23 of the timer since time 0 that `status` knows of."""
    gp_enable: int = 0
    """GPEN."""
    gpe_enable: int = 0
    """Enable half of the block at 0xAFE0."""
    command: int = 0
    """APMC as last written."""
    apm_status: int = 0
    """APMS as last written."""
    sci: bool = False
    """The SCI is asserted."""
