"""The lives of vectors, held against the registers of the machine at every event."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import bringup

from lapis_engine.events import (
    Logged,
    RunStateChanged,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)
from lapis_sessions.views import apic
from lapis_sessions.views.vectors import Held, Phase, course, held

if TYPE_CHECKING:
    from lapis_engine.events import Event


class Slow:
    """The manual's rules over two sets of vectors."""

    def __init__(self) -> None:
        self.irr: set[int] = set()
        self.isr: set[int] = set()
        self.tpr = 0

    @property
    def ppr(self) -> int:
        top = max(self.isr, default=0)
        return self.tpr if self.tpr // 16 >= top // 16 else top // 16 * 16

    def do(self, what: str, vector: int) -> Event | None:
        if what == "accept":
            self.irr.add(vector)
            return VectorAccepted(0, vector, False, "ipi")
        if what == "deliver" and self.irr and max(self.irr) // 16 > self.ppr // 16:
            vector = max(self.irr)
            self.irr.remove(vector)
            self.isr.add(vector)
            return VectorDelivered(0, vector, self.ppr)
        if what == "eoi" and self.isr:
            vector = max(self.isr)
            self.isr.remove(vector)
            return VectorEnded(0, vector, False, self.ppr)
        if what == "tpr":
            self.tpr = vector
        if what == "init":
            self.irr, self.isr, self.tpr = set(), set(), 0
            return RunStateChanged(0, 2, 1, "INIT")
        return None


VIEW = apic.of(bringup().machine, 0)
DOINGS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "deliver", "eoi"] * 5 + ["tpr", "init"]),
        st.integers(16, 255),
    ),
    max_size=60,
)


@given(doings=DOINGS, cut=st.integers(0, 60), now=st.integers(0, 60))
def test_irr_and_isr_are_those_of_the_slow_model(
    doings: list[tuple[str, int]], cut: int, now: int
) -> None:
    """Whole, from the middle on, and with a part that has not happened."""
    slow, states = Slow(), []
    logged: list[Logged] = []
    for what, vector in doings:
        event = slow.do(what, vector)
        if event is not None:
            logged.append(Logged(len(logged), 0, event))
            states.append((sorted(slow.irr), sorted(slow.isr), slow.ppr, slow.tpr))
    now = min(now, len(logged))
    whole = course(logged, [], 0, None)
    for step, (irr, isr, ppr, _) in enumerate(states):
        assert whole.irr(step) == irr
        assert whole.isr(step) == isr
        if isinstance(logged[step].event, VectorDelivered | VectorEnded):
            assert whole.ppr[step] == ppr
        if whole.tpr[step] is not None:
            assert whole.tpr[step] == states[step][3]
        tops = whole.tops(0, len(states))
        assert tops[step] == max(isr, default=-1)
    if cut >= now:
        return
    irr, isr, ppr, tpr = states[now - 1]
    there = replace(VIEW, irr=tuple(irr), isr=tuple(isr), ppr=ppr, tpr=tpr)
    part = course(logged[cut:now], logged[now:], 0, there)
    assert part.happened == now - cut
    for step in range(len(part.steps)):
        was_irr, was_isr, _, _ = states[step + cut]
        if step + cut >= now - 1:  # what is there now is known
            assert part.irr(step) == was_irr
            assert part.isr(step) == was_isr
        assert set(part.isr(step)) <= set(was_isr)
        assert set(part.irr(step)) <= set(was_irr)


@pytest.mark.parametrize(
    ("vector", "irr", "isr", "ppr", "flags", "why"),
    [
        (0x5F, [0x5F], [], 0x00, (True, False), Held.OFF),
        (0x31, [0x31], [0x31], 0x30, (True, True), Held.SAME),
        (0x5F, [0x5F], [0x52], 0x50, (True, True), Held.CLASS),
        (0x5F, [0x5F, 0x71], [], 0x00, (True, True), Held.LOWER),
        (0x71, [0x5F, 0x71], [], 0x60, (False, True), Held.MASKED),
        (0x71, [0x5F, 0x71], [], 0x60, (True, True), Held.NEXT),
        (0x71, [0x5F, 0x71], [], 0x60, (None, None), None),
    ],
)
def test_why_a_vector_waits(
    vector: int, irr: list[int], isr: list[int], ppr: int,
    flags: tuple[bool | None, bool | None], why: Held | None,
) -> None:  # fmt: skip
    assert held(vector, irr, isr, ppr, interrupts=flags[0], enabled=flags[1]) is why


def test_a_life_is_arrived_served_preempted_and_ended() -> None:
    events: list[Event] = [
        VectorAccepted(0, 0x31, False, "ipi"), VectorDelivered(0, 0x31, 0x30),
        VectorAccepted(0, 0x52, False, "timer"), VectorDelivered(0, 0x52, 0x50),
        VectorEnded(0, 0x52, False, 0x30), VectorEnded(0, 0x31, False, 0),
    ]  # fmt: skip
    made = course([Logged(n, n, each) for n, each in enumerate(events)], [], 0, None)
    low = next(life for life in made.lives if life.vector == 0x31)
    assert [made.phase(low, step) for step in range(6)] == [
        Phase.ARRIVED, Phase.SERVED, Phase.SERVED, Phase.PREEMPTED, Phase.SERVED, None,
    ]  # fmt: skip
    assert low.is_eoi
    assert low.source == "ipi"
