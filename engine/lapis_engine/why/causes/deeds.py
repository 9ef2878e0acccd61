"""What a vCPU did before it stopped: the last events of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.events import (
    Answered,
    DebugHit,
    ExceptionRaised,
    Exited,
    ExtIntDelivered,
    Halted,
    ModeChanged,
    MsrAccessed,
    NmiDelivered,
    RunStateChanged,
    Suspended,
    VectorDelivered,
    Woken,
)
from lapis_engine.explain.events import describe
from lapis_engine.machine.log import KEPT

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

TOLD: Final = 5
DEEDS: Final = frozenset({
    Answered, DebugHit, ExceptionRaised, Exited, ExtIntDelivered, Halted, ModeChanged,
    MsrAccessed, NmiDelivered, RunStateChanged, Suspended, VectorDelivered, Woken,
})  # fmt: skip
"""Kinds of events that a vCPU itself is behind."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a vCPU did, or that was done to it."""

    event: int
    """Its number."""
    at: int
    """ns."""
    kind: str
    text: str


def deeds(machine: Machine, number: int) -> tuple[Deed, ...]:
    """Return the last ones that are known, oldest first."""
    found: list[Deed] = []
    for logged in reversed(machine.log.last(KEPT)):
        event = logged.event
        if event.vcpu == number and type(event) in DEEDS:
            found.append(Deed(logged.seq, logged.at, event.kind, describe(event)))
            if len(found) == TOLD:
                break
    return tuple(reversed(found))
