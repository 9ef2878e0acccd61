"""IRR, ISR, PPR and EOI, against the manual's numbers and a model made of sets.

Mutants of `apic/priority.py`, each a change of one token or one line, all killed:
`highest` without `- 1`; in `ppr` `>=` to `>`, `>> 4` to `>> 3` and to none, `0xF0` to
`0xFF`; `set_tpr` with `0xF0`; PPR not refreshed in `set_tpr`, `deliver`, `eoi`;
LOWEST_LEGAL 15 and 17 and `<=`; TMR mask not inverted, trigger inverted; IRR and ISR
overwritten where they are added to; `deliverable` with `>=`, without the class, with
ISR for IRR; IRR mask not inverted; `< 0` to `< 1` and `>>` to `&` in `eoi`; the test
for an APIC that is off inverted; ESR bits and-ed.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lapis_engine.apic import lvt, priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.state import ApicState
from lapis_engine.events import (
    ApicError,
    Oddity,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from lapis_engine.profiles.switches import Profile


def apic(vcpu: int = 0) -> ApicState:
    state = apic_state.reset(vcpu, SDM)
    state.svr = 0x1FF
    return state


@pytest.mark.parametrize(
    ("tpr", "isr", "wanted"),
    [
        (0x00, [], 0x00),
        (0x10, [], 0x10),
        (0x55, [0x52], 0x55),  # equal class: the whole TPR byte
        (0x48, [0x52], 0x50),  # ISR wins: class only
        (0x60, [0x52], 0x60),
        (0x0F, [0x31, 0x52], 0x50),
        (0xFF, [0xF1], 0xFF),
        (0x00, [0x1F], 0x10),
    ],
)
def test_ppr_is_the_greater_class_and_keeps_a_sub_class_only_of_tpr(
    tpr: int, isr: list[int], wanted: int
) -> None:
    assert priority.ppr(tpr, sum(1 << v for v in isr)) == wanted


def test_three_vectors_nest_and_end_highest_first() -> None:
    state, seen = apic(), []
    for vector in (0x31, 0x52, 0x71):
        priority.accept(state, vector, False, "ipi")
        seen.append(priority.deliver(state))
    assert seen == [
        VectorDelivered(0, 0x31, 0x30),
        VectorDelivered(0, 0x52, 0x50),
        VectorDelivered(0, 0x71, 0x70),
    ]
    assert [priority.eoi(state) for _ in range(3)] == [
        VectorEnded(0, 0x71, False, 0x50),
        VectorEnded(0, 0x52, False, 0x30),
        VectorEnded(0, 0x31, False, 0x00),
    ]


def test_the_same_class_does_not_preempt_and_the_next_does() -> None:
    state = apic()
    priority.accept(state, 0x52, False, "ipi")
    priority.deliver(state)
    priority.accept(state, 0x5F, False, "ipi")
    assert priority.deliverable(state) is None
    priority.accept(state, 0x61, False, "ipi")
    assert priority.deliverable(state) == 0x61


def test_an_eoi_with_nothing_in_service_changes_nothing() -> None:
    state = apic()
    before = repr(state)
    assert isinstance(priority.eoi(state), Oddity)
    assert repr(state) == before


def test_an_eoi_ends_even_vector_0_which_only_an_import_can_put_there() -> None:
    state = apic()
    state.isr = 1
    assert priority.eoi(state) == VectorEnded(0, 0, False, 0)


@pytest.mark.parametrize("vector", [0, 1, 15])
def test_a_vector_below_16_is_refused(vector: int) -> None:
    state = apic()
    assert isinstance(priority.accept(state, vector, False, "msi"), VectorRefused)
    assert (state.irr, state.tmr, state.esr_pending) == (0, 0, 0)


@pytest.mark.parametrize(("profile", "bit"), [(SDM, 0x40), (ILLUMOS, 0)])
@pytest.mark.parametrize("vector", [0, 15])
def test_a_message_with_such_a_vector_is_an_error_but_not_for_bhyve(
    vector: int, profile: Profile, bit: int
) -> None:
    state = apic()
    out = lvt.receive(state, vector, "msi", profile)
    assert isinstance(out[0], VectorRefused)
    assert out[1:] == ((ApicError(0, 6, "receive illegal vector"),) if bit else ())
    assert (state.irr, state.esr_pending) == (0, bit)
    assert lvt.receive(state, 16, "msi", profile) == (
        VectorAccepted(0, 16, False, "msi"),
    )


def test_16_and_255_are_vectors_too() -> None:
    state = apic()
    for vector in (16, 255):
        assert isinstance(priority.accept(state, vector, False, "x"), VectorAccepted)
    assert state.irr == 1 << 16 | 1 << 255
    assert priority.vectors(state.irr) == [16, 255]


def test_tmr_follows_the_trigger_of_the_last_acceptance() -> None:
    state = apic()
    priority.accept(state, 0x41, True, "ioapic")
    assert state.tmr == 1 << 0x41
    priority.deliver(state)
    assert priority.eoi(state) == VectorEnded(0, 0x41, True, 0)
    priority.accept(state, 0x41, False, "msi")
    assert state.tmr == 0


@pytest.mark.parametrize(("svr", "base"), [(0xFF, 0xFEE0_0900), (0x1FF, 0xFEE0_0100)])
def test_an_apic_that_is_off_takes_nothing_but_delivers_what_it_has(
    svr: int, base: int
) -> None:
    state = apic()
    priority.accept(state, 0x41, False, "ipi")
    state.svr, state.apicbase = svr, base
    assert isinstance(priority.accept(state, 0x42, False, "ipi"), VectorRefused)
    assert (state.irr, priority.deliverable(state)) == (1 << 0x41, 0x41)


@given(st.sets(st.integers(0, 255)))
def test_highest_and_vectors_agree_with_sets(found: set[int]) -> None:
    bits = sum(1 << v for v in found)
    assert priority.highest(bits) == max(found, default=-1)
    assert priority.vectors(bits) == sorted(found)


class Sets(RuleBasedStateMachine):
    """Any sequence of acceptances, deliveries, EOIs and TPR writes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = apic()
        self.waiting: set[int] = set()
        self.serving: set[int] = set()
        self.tpr = 0

    def held(self) -> int:
        """The class that a vector must exceed, straight from the manual's words."""
        return max([self.tpr // 16, *(v // 16 for v in self.serving)])

    @rule(vector=st.integers(0, 255), level=st.booleans())
    def accept(self, vector: int, level: bool) -> None:
        priority.accept(self.state, vector, level, "test")
        if vector >= 16:
            self.waiting.add(vector)

    @precondition(lambda self: any(v // 16 > self.held() for v in self.waiting))
    @rule()
    def deliver(self) -> None:
        vector = max(self.waiting)
        assert priority.deliverable(self.state) == vector
        assert priority.deliver(self.state).vector == vector
        self.waiting.remove(vector)
        self.serving.add(vector)

    @rule()
    def eoi(self) -> None:
        ended = priority.eoi(self.state)
        if self.serving:
            assert isinstance(ended, VectorEnded)
            assert ended.vector == max(self.serving)
            self.serving.remove(ended.vector)
        else:
            assert isinstance(ended, Oddity)

    @rule(value=st.integers(0, 255))
    def write_tpr(self, value: int) -> None:
        priority.set_tpr(self.state, value)
        self.tpr = value

    @invariant()
    def registers_are_the_sets(self) -> None:
        state = self.state
        assert set(priority.vectors(state.irr)) == self.waiting
        assert set(priority.vectors(state.isr)) == self.serving
        assert (state.tpr, state.ppr >> 4) == (self.tpr, self.held())
        top = max(self.waiting, default=0)
        able = top // 16 > self.held()
        assert priority.deliverable(state) == (top if able else None)

    @invariant()
    def one_vector_of_a_class_is_in_service(self) -> None:
        classes = [v // 16 for v in self.serving]
        assert len(classes) == len(set(classes))


TestSets = Sets.TestCase
