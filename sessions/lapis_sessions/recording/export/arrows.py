"""From each IPI to what it became at its targets, as pairs of events."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.events import (
    InitReceived,
    Interfered,
    IpiSent,
    NmiReceived,
    SipiReceived,
    VectorAccepted,
    VectorRefused,
)

if TYPE_CHECKING:
    from lapis_engine.events import Logged

MOST_UNDERWAY = 4096
"""IPIs that are waited for; the oldest is given up then."""
VECTOR = 0xFF
"""Bits of the ICR that hold the vector."""


class Arrow(NamedTuple):
    """An IPI on its way to one target."""

    sent: Logged
    target: int
    arrived: Logged


class Arrows:
    """Follows IPIs through a stream of events."""

    def __init__(self) -> None:
        """Begin with none on its way."""
        self._underway: deque[tuple[Logged, IpiSent, int]] = deque(maxlen=MOST_UNDERWAY)

    def take(self, logged: Logged) -> Arrow | None:
        """Return the arrow that ends with an event, if one does."""
        event = logged.event
        if isinstance(event, IpiSent):
            self._underway.extend((logged, event, target) for target in event.targets)
            return None
        for index, (sent, ipi, target) in enumerate(self._underway):
            if target == event.vcpu and _becomes(ipi, logged):
                del self._underway[index]
                return Arrow(sent, target, logged)
        return None


def _becomes(ipi: IpiSent, logged: Logged) -> bool:
    """Tell whether an event at the target is what this IPI leads to there."""
    event, sender = logged.event, ipi.vcpu
    match event:
        case VectorAccepted() | VectorRefused():
            is_one = ipi.mode in {"fixed", "lowest"} and event.source.startswith("ipi")
            return is_one and event.vector == ipi.icr & VECTOR
        case InitReceived():
            return ipi.mode == "init"
        case SipiReceived():
            return ipi.mode == "sipi" and event.vector == ipi.icr & VECTOR
        case NmiReceived():
            return ipi.mode == "nmi"
        case Interfered():
            dropped = event.action == "drop" and event.sender == sender
            return dropped and event.mode == ipi.mode
        case _:
            return False
