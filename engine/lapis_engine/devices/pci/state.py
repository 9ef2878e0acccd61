"""What the PCI configuration ports remember."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PciState:
    """Reset values are the defaults."""

    config_address: int = 0
    """CONFIG_ADDRESS, 32 bits."""
    reset_control: int = 0
    """RC without RST_CPU, which never reads back as 1."""
