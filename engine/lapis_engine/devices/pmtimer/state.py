"""What the power management timer remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PmTimerState:
    """Reset values are the defaults."""

    base: int = 0
    """ns of virtual time at which it counted 0."""
