"""What a vCPU is in, as slices that nest: vectors in service, waits, halts.

In service are the vectors from their delivery to their EOI. An EOI ends the highest of
them, which is the innermost here; where a profile breaks that order, the slices above
it end with it. Taking INIT ends everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lapis_engine.events import (
    Answered,
    ApicImported,
    Exited,
    Halted,
    RunStateChanged,
    VectorDelivered,
    VectorEnded,
    Woken,
)
from lapis_engine.explain.events import describe
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import Event, Logged

WAITING = frozenset({"MMIO", "INOUT", "INST_EMUL", "RDMSR"})
"""Codes of exits after which a vCPU waits for an answer."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A slice begins or ends."""

    phase: Literal["B", "E"]
    vcpu: int
    at: int
    """ns of virtual time."""
    name: str
    category: str
    text: str = ""


@dataclass(slots=True)
class Levels:
    """The slices that are open on one vCPU, outermost first."""

    vcpu: int
    open: list[Edge] = field(default_factory=list)

    def take(self, logged: Logged) -> Iterator[Edge]:
        """Yield what an event of this vCPU begins and ends."""
        event, at = logged.event, logged.at
        match event:
            case VectorDelivered():
                yield from self._begin(at, _vector(event.vector), "isr", event)
            case VectorEnded():
                yield from self._end(at, _vector(event.vector))
            case Halted():
                yield from self._begin(at, "halted", "halt", event)
            case Woken():
                yield from self._end(at, "halted")
            case Exited() if event.code in WAITING:
                yield from self._end(at, f"waits: {event.code}")
                yield from self._begin(at, f"waits: {event.code}", "exit", event)
            case Answered():
                yield from self._waited(at)
            case RunStateChanged() if _takes_init(event):
                yield from self.close(at)
            case ApicImported():
                yield from self._end_vectors(at)
            case _:
                pass  # NMI and ExtINT among them: no event tells their ends

    def _begin(self, at: int, name: str, category: str, event: Event) -> Iterator[Edge]:
        edge = Edge("B", self.vcpu, at, name, category, describe(event))
        self.open.append(edge)
        yield edge

    def _end(self, at: int, name: str) -> Iterator[Edge]:
        """End the innermost slice of that name, and those within it."""
        names = [edge.name for edge in self.open]
        if name in names:
            index = len(names) - 1 - names[::-1].index(name)
            yield from self._down_to(at, index)

    def _waited(self, at: int) -> Iterator[Edge]:
        for code in sorted(WAITING):
            yield from self._end(at, f"waits: {code}")

    def _end_vectors(self, at: int) -> Iterator[Edge]:
        found = [i for i, edge in enumerate(self.open) if edge.category == "isr"]
        if found:
            yield from self._down_to(at, found[0])

    def close(self, at: int) -> Iterator[Edge]:
        """End everything."""
        yield from self._down_to(at, 0)

    def _down_to(self, at: int, index: int) -> Iterator[Edge]:
        while len(self.open) > index:
            edge = self.open.pop()
            yield Edge("E", self.vcpu, at, edge.name, edge.category)


def _takes_init(event: RunStateChanged) -> bool:
    pending = event.before & ~event.after & run_state.PEND_INIT
    return bool(pending) or event.after == run_state.INIT


def _vector(number: int) -> str:
    return f"vector {number:#04x}"
