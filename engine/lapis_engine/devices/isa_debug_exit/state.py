"""What the debug exit remembers: the last value, for whoever looks afterwards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DebugExitState:
    """Reset values are the defaults."""

    value: int | None = None
    """Raw value last written, or None when the guest has not exited."""
