"""What the flash remembers, beside what is in it: that is memory of the machine."""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.flash import regs


@dataclass(slots=True)
class FlashState:
    """Reset values are the defaults."""

    mode: int = regs.READ_ARRAY
    """What is read: READ_ARRAY, READ_STATUS, READ_ID or QUERY."""
    command: int | None = None
    """The command that waits for its next write; None while there is none."""
    status: int = 0
    """Status register."""
    left: int | None = None
    """Of a buffered program, the bytes that are yet to come; None before the count."""
    buffer: tuple[tuple[int, int], ...] = ()
    """(address, byte) of those that have come."""
