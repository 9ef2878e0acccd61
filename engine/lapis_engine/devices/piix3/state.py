"""What the ISA bridge remembers."""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.piix3 import header


@dataclass(slots=True)
class Piix3State:
    """Reset values are the defaults."""

    config: bytes = header.HEADER.reset
    """Configuration space, 256 bytes."""
    reset_control: int = 0
    """RC without RST_CPU, which never reads back as 1."""
    asserted: tuple[int, ...] = (0, 0, 0, 0)
    """Interrupt pins that assert PIRQA# to PIRQD#, a number each."""
    held: tuple[int | None, ...] = (None, None, None, None)
    """ISA line that each of them holds up."""
