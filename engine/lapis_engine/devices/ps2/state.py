"""What the keyboard controller remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Ps2State:
    """Reset values are the defaults."""

    command_byte: int = 0x30
    """Both devices disabled, no interrupts, no translation."""
    output: int | None = None
    """Byte in the output buffer, or None."""
    last: int = 0
    """Byte last taken from the output buffer: an empty buffer reads as that."""
    timeout: bool = False
    """Status TIMEOUT, which belongs to `output`."""
    command: int = 0
    """Command that waits for its parameter, or 0."""
    command_last: bool = False
    """Status COMMAND_LAST."""
    fast_reset: int = 0
    """Port 0x92 bit 0 as last written."""
