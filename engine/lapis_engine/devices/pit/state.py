"""What the timer remembers.

Times are tick numbers of the 1 193 182 Hz clock, whose tick 0 is at 0 ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ChannelState:
    """One counter; the defaults are a channel that has not been programmed."""

    mode: int = 0
    """0 to 5."""
    access: int = 3
    """ACCESS of the control word: 1, 2 or 3."""
    reload: int = 0
    """Count as written, 1 to 65536; 0 when none has been since the control word."""
    gate: bool = True
    """GATE input."""
    running: bool = False
    """The count is in the counter: written, and in modes 1 and 5 triggered too."""
    started: int = 0
    """Tick at which the counter took the count."""
    frozen: int | None = None
    """Ticks since `started`, while GATE holds the counter; else None."""
    seen: int = 0
    """Tick of the last rising edge of OUT that was reported."""
    low: int | None = None
    """Low byte that waits for its high byte."""
    high_next: bool = False
    """The next read gives the high byte."""
    latched: int | None = None
    """Count that a latch command holds."""
    status: int | None = None
    """Status that a read-back command holds."""


def _channels() -> tuple[ChannelState, ChannelState, ChannelState]:
    return ChannelState(), ChannelState(), ChannelState(gate=False)


@dataclass(slots=True)
class PitState:
    """Three channels and port 0x61; the reset values are the defaults."""

    pulses: bool = True
    """IRQ 0 falls as soon as it has risen, as in bhyve."""
    up: bool = False
    """IRQ 0 is held up."""
    channels: tuple[ChannelState, ChannelState, ChannelState] = field(
        default_factory=_channels
    )
    """Channels 0 to 2."""
    nmisc: int = 0
    """Port 0x61 [3:0]."""
