"""What the debug console remembers. The text itself is the machine's to keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DebugconState:
    """Reset values are the defaults."""

    written: int = 0
    """Bytes that the guest has written since reset."""
