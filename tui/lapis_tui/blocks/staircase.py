"""The life of each vector on one APIC: arrived, in service, preempted, ended.

Events say when a vector was accepted into the IRR, delivered into the ISR and ended by
an EOI (SDM Vol. 3A "Interrupt Acceptance for Fixed Interrupts" and "Signaling Interrupt
Servicing Completion"). Of several in service the highest runs, the others are
preempted. What an APIC had before the first event that is known follows from what
happens to it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.events import (
    InitReceived,
    Logged,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

SCANNED: Final = 4_000
"""Events that are looked at, from the newest back."""
KINDS: Final = (VectorAccepted, VectorDelivered, VectorEnded, InitReceived)
GLYPHS: Final = {
    "arrived": "░", "service": "█", "preempted": "▒", "ended": "╵", "none": " ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """An APIC right after an event."""

    seq: int
    irr: frozenset[int]
    isr: frozenset[int]
    ended: int | None
    """The vector that this event ended."""
    ppr: int | None
    """None where nothing has told it yet."""

    def state(self, vector: int) -> str:
        """Return what a vector is here, by a key of `GLYPHS`."""
        if vector in self.isr:
            return "service" if vector == max(self.isr) else "preempted"
        if vector == self.ended:
            return "ended"
        return "arrived" if vector in self.irr else "none"

    def waits_again(self, vector: int) -> bool:
        """Tell whether a vector waits while it is in service."""
        return vector in self.irr and vector in self.isr


def of(events: Sequence[Logged], vcpu: int, most: int) -> list[Logged]:
    """Return the last `most` events about vectors of a vCPU, oldest first."""
    out: list[Logged] = []
    for index in range(len(events) - 1, max(len(events) - SCANNED, 0) - 1, -1):
        logged = events[index]
        if logged.event.vcpu == vcpu and isinstance(logged.event, KINDS):
            out.append(logged)
            if len(out) >= most:
                break
    return out[::-1]


def columns(
    events: Iterable[Logged], irr: Collection[int] = (), isr: Collection[int] = ()
) -> list[Column]:
    """Return a column for each of one vCPU's events.

    `irr` and `isr` are what the APIC has after the last: what no event has put there
    was there from the beginning.
    """
    known = list(events)
    waiting, serving = _beginning(known, irr, isr)
    ppr: int | None = None
    out = []
    for logged in known:
        ended = None
        match logged.event:
            case VectorAccepted(vector=vector):
                waiting.add(vector)
            case VectorDelivered(vector=vector, ppr=ppr):
                waiting.discard(vector)
                serving.add(vector)
            case VectorEnded(vector=vector, ppr=ppr):
                serving.discard(vector)
                ended = vector
            case _:  # INIT clears all
                waiting.clear()
                serving.clear()
                ppr = 0
        out.append(
            Column(logged.seq, frozenset(waiting), frozenset(serving), ended, ppr)
        )
    return out


def _beginning(
    events: Iterable[Logged], irr: Collection[int], isr: Collection[int]
) -> tuple[set[int], set[int]]:
    """Return what IRR and ISR must have held before the first event."""
    waiting, serving = set(), set()
    seen_irr: set[int] = set()
    seen_isr: set[int] = set()
    for logged in events:
        match logged.event:
            case VectorAccepted(vector=vector):
                seen_irr.add(vector)
            case VectorDelivered(vector=vector):
                if vector not in seen_irr:
                    waiting.add(vector)
                seen_irr.add(vector)
                seen_isr.add(vector)
            case VectorEnded(vector=vector):
                if vector not in seen_isr:
                    serving.add(vector)
                seen_isr.add(vector)
            case _:
                return waiting, serving
    return waiting | (set(irr) - seen_irr), serving | (set(isr) - seen_isr)


def why(vector: int, irr: Collection[int], isr: Collection[int], ppr: int) -> str:
    """Say in a few words why a vector waits, or what it does.

    >>> why(0x5F, {0x5F}, {0x71}, 0x70), why(0x52, (), {0x52, 0x71}, 0x70)
    ('5 <= PPR 7', 'under 71')
    """
    if vector in isr:
        above = [v for v in isr if v > vector]
        return f"under {min(above):02x}" if above else "runs"
    if vector >> 4 <= ppr >> 4:
        return f"{vector >> 4:x} <= PPR {ppr >> 4:x}"
    higher = [v for v in irr if v > vector]
    return f"after {max(higher):02x}" if higher else "comes next"
