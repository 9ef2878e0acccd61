"""The life of each vector on one vCPU: arrived, in service, preempted, ended.

It is read off a stretch of events. Where that begins in the middle, what is ended or
delivered later, or is in the IRR or ISR now, came from before; nothing is made up for
what no event tells. The rules are SDM Vol. 3A "Interrupt Acceptance for Fixed
Interrupts", "Task and Processor Priorities" and "Signaling Interrupt Servicing
Completion".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from lapis_engine.events import (
    ApicImported,
    ApicModeChanged,
    ExtIntDelivered,
    InitReceived,
    NmiDelivered,
    NmiReceived,
    Rebooted,
    RunStateChanged,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lapis_engine.events import Event, Logged
    from lapis_sessions.views.apic import ApicView

KINDS: Final = frozenset({
    ApicImported, ApicModeChanged, ExtIntDelivered, InitReceived, NmiDelivered,
    NmiReceived, Rebooted, RunStateChanged, VectorAccepted, VectorDelivered,
    VectorEnded, VectorRefused,
})  # fmt: skip
"""Events that a course is made of."""
IN_INIT: Final = 1
"""Run-state of a vCPU whose APIC INIT has reset (bhyve `VRS_INIT`)."""
BEFORE: Final = -1
"""Step of what came before the first one that is known."""


class Phase(StrEnum):
    """What a vector is at a step."""

    ARRIVED = "arrived"
    SERVED = "in service"
    PREEMPTED = "preempted"


class Held(StrEnum):
    """Why a vector in the IRR waits."""

    OFF = "off"
    SAME = "same"
    CLASS = "class"
    LOWER = "lower"
    MASKED = "masked"
    NEXT = "next"


@dataclass(slots=True)
class Life:
    """One stay of a vector in the IRR and the ISR."""

    vector: int
    start: int
    """Step that it came with, or `BEFORE`, or the one that all was lost at."""
    source: str | None = None
    """Who sent it; None when that was before."""
    served: int | None = None
    """Step that it was delivered at."""
    end: int | None = None
    """First step that it is no longer there at."""
    is_eoi: bool = False
    """An EOI ended it, and not INIT or a reset."""
    more: int = 0
    """How often it was sent again while it waited, which leaves no trace."""

    def is_at(self, step: int) -> bool:
        """Tell whether it is in the IRR or the ISR after `step`."""
        return self.start <= step and (self.end is None or step < self.end)

    def is_served(self, step: int) -> bool:
        """Tell whether it is in the ISR after `step`."""
        return self.served is not None and self.served <= step and self.is_at(step)


@dataclass(slots=True)
class VectorCourse:
    """What became of the vectors of one vCPU, step by step."""

    steps: list[Logged] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    """In the order of their ends, those that have none last."""
    ppr: list[int | None] = field(default_factory=list)
    """After each step, as far as the last event told; None where none did."""
    tpr: list[int | None] = field(default_factory=list)
    """After each step at which the PPR tells it: nothing in service is above it."""
    happened: int = 0
    """Steps that have happened; those behind are known to come."""

    def irr(self, step: int) -> list[int]:
        """Return the vectors that wait after a step, ascending."""
        return sorted(
            each.vector
            for each in self.lives
            if each.is_at(step) and not each.is_served(step)
        )

    def isr(self, step: int) -> list[int]:
        """Return the vectors in service after a step, ascending."""
        return sorted(each.vector for each in self.lives if each.is_served(step))

    def tops(self, first: int, last: int) -> list[int]:
        """Return the highest vector in service after steps `first` to `last` - 1.

        -1 where there is none.
        """
        out = [-1] * max(last - first, 0)
        for life in self.lives:
            if life.served is None:
                continue
            end = last if life.end is None else min(life.end, last)
            for step in range(max(life.served, first), end):
                out[step - first] = max(out[step - first], life.vector)
        return out

    def phase(self, life: Life, step: int) -> Phase | None:
        """Return what a life is after a step, or None when it is not there."""
        if not life.is_at(step):
            return None
        if not life.is_served(step):
            return Phase.ARRIVED
        is_top = life.vector == max(self.isr(step))
        return Phase.SERVED if is_top else Phase.PREEMPTED


def is_about(event: Event, vcpu: int) -> bool:
    """Tell whether a course of `vcpu` has a step for an event of `KINDS`."""
    if isinstance(event, Rebooted):
        return True
    is_init = not isinstance(event, RunStateChanged) or event.after == IN_INIT
    return event.vcpu == vcpu and is_init


def course(
    past: Iterable[Logged],
    ahead: Iterable[Logged],
    vcpu: int,
    now: ApicView | None,
    *,
    disabling_resets: bool = False,
) -> VectorCourse:
    """Return the course of `vcpu` through a stretch of events, oldest first.

    `now` is the APIC after the last of `past`, or None when the stretch ends before;
    with `disabling_resets` an APIC that APICBASE disables loses all (profile switch
    apic_disable_resets).
    """
    maker = _Maker(disabling_resets)
    for logged in past:
        if type(logged.event) in KINDS and is_about(logged.event, vcpu):
            maker.take(logged)
    maker.out.happened = len(maker.out.steps)
    if now is not None:
        maker.agree(now)
    for logged in ahead:
        if type(logged.event) in KINDS and is_about(logged.event, vcpu):
            maker.take(logged)
    out = maker.out
    out.lives += [*maker.served.values(), *maker.waiting.values()]
    _tell_tpr(out)
    if now is not None and out.happened:
        out.ppr[out.happened - 1] = now.ppr
        out.tpr[out.happened - 1] = now.tpr
    return out


class _Maker:
    """A course as it grows."""

    def __init__(self, disabling_resets: bool) -> None:  # noqa: FBT001 - of the profile
        self.out = VectorCourse()
        self.waiting: dict[int, Life] = {}
        self.served: dict[int, Life] = {}
        self.since = BEFORE
        """Where what has no known beginning begins."""
        self.ppr: int | None = None
        self.disabling_resets = disabling_resets

    def take(self, logged: Logged) -> None:
        step, event = len(self.out.steps), logged.event
        self.out.steps.append(logged)
        if isinstance(event, VectorAccepted):
            self._accept(event, step)
        elif isinstance(event, VectorDelivered):
            life = self.waiting.pop(event.vector, None)
            life = life or Life(event.vector, self.since)
            life.served = step
            self._end(self.served.pop(event.vector, None), step)
            self.served[event.vector] = life
            self.ppr = event.ppr
        elif isinstance(event, VectorEnded):
            life = self.served.pop(event.vector, None)
            life = life or Life(event.vector, self.since, served=self.since)
            life.is_eoi = True
            self._end(life, step)
            self.ppr = event.ppr
        elif self._loses_all(event):
            self._lose(step, None if isinstance(event, ApicImported) else 0)
        self.out.ppr.append(self.ppr)

    def _accept(self, event: VectorAccepted, step: int) -> None:
        known = self.waiting.get(event.vector)
        if known is not None:
            known.more += 1
        else:
            self.waiting[event.vector] = Life(event.vector, step, event.source)

    def _loses_all(self, event: Event) -> bool:
        if isinstance(event, ApicModeChanged):
            return event.after == "disabled" and self.disabling_resets
        return isinstance(event, RunStateChanged | Rebooted | ApicImported)

    def _end(self, life: Life | None, step: int) -> None:
        if life is not None:
            life.end = step
            self.out.lives.append(life)

    def _lose(self, step: int, ppr: int | None) -> None:
        for life in (*self.served.values(), *self.waiting.values()):
            self._end(life, step)
        self.served.clear()
        self.waiting.clear()
        self.since, self.ppr = step, ppr

    def agree(self, now: ApicView) -> None:
        """Take what the APIC holds now for what has come of it all."""
        step = len(self.out.steps)
        for lives, there in ((self.waiting, now.irr), (self.served, now.isr)):
            for vector in set(lives) - set(there):
                self._end(lives.pop(vector), max(step - 1, 0))
            for vector in set(there) - set(lives):
                life = Life(vector, self.since)
                life.served = self.since if lives is self.served else None
                lives[vector] = life
        self.ppr = now.ppr


def _tell_tpr(out: VectorCourse) -> None:
    """The PPR is the TPR where its class is not below what is in service."""
    tops = out.tops(0, len(out.steps))
    for logged, top, ppr in zip(out.steps, tops, out.ppr, strict=True):
        is_told = isinstance(logged.event, VectorDelivered | VectorEnded)
        is_tpr = ppr is not None and (top < 0 or ppr >> 4 > top >> 4)
        out.tpr.append(ppr if is_told and is_tpr else None)


def held(
    vector: int,
    irr: Sequence[int],
    isr: Collection[int],
    ppr: int | None,
    *,
    interrupts: bool | None = None,
    enabled: bool | None = None,
) -> Held | None:
    """Return what keeps `vector` in the IRR, the strongest reason first.

    What is None is not known; None for an answer that would need it.
    """
    if enabled is False:
        return Held.OFF
    if vector in isr:
        return Held.SAME
    if ppr is not None and vector >> 4 <= ppr >> 4:
        return Held.CLASS
    if vector < max(irr):
        return Held.LOWER
    if interrupts is False:
        return Held.MASKED
    return None if ppr is None or interrupts is None else Held.NEXT
