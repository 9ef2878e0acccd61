"""What the timer block remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from lapis_engine.devices.hpet import regs


@dataclass(slots=True)
class ComparatorState:
    """One comparator; reset values are the defaults."""

    config: int = 0
    """`regs.TIMER_WRITABLE` of its configuration."""
    comparator: int = regs.COMPARATOR_RESET
    """What the counter is compared with as of `HpetState.at`; when the timer is
    periodic this is the accumulator."""
    period: int = 0
    """What was last written to the comparator of a periodic timer, ticks."""
    fsb: int = 0
    """FSB route, 64 bits."""
    held: int | None = None
    """ISA line or input of the IOAPIC that it holds up."""
    held_isa: bool = False
    """`held` is an ISA line."""


def _timers() -> tuple[ComparatorState, ...]:
    return tuple(ComparatorState() for _ in range(regs.TIMERS))


@dataclass(slots=True)
class HpetState:
    """Reset values are the defaults; the first three say what machine it is on."""

    pulses: bool = True
    """An edge on an ISA line falls as soon as it has risen."""
    needs_hint: bool = False
    """Messages are logical only with their redirection hint."""
    redirects: bool = False
    """The redirection hint of a message has an effect."""
    config: int = 0
    """General configuration."""
    status: int = 0
    """General interrupt status: timers whose level interrupt is active."""
    count: int = 0
    """Main counter as of `at`."""
    at: int = 0
    """ns of virtual time of `count`, while it runs."""
    timers: tuple[ComparatorState, ...] = field(default_factory=_timers)
    displaced: int = 0
    """ISA lines 0 and 8 as their own devices have them, one bit each."""
