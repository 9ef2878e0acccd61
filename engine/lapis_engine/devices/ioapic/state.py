"""What the IOAPIC remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PinState:
    """A pin with its redirection entry."""

    entry: int
    """Redirection entry, 64 bits, remote-IRR among them."""
    count: int = 0
    """How many sources hold the pin asserted, 32 bits."""


@dataclass(slots=True)
class IoapicState:
    """Reset values are the defaults; the first two say which IOAPIC it is."""

    version: int
    """IOAPICVER [7:0]."""
    pins: tuple[PinState, ...]
    """24 or 32 of them."""
    select: int = 0
    """IOREGSEL [7:0]."""
    id: int = 0
    """IOAPICID, in place."""
