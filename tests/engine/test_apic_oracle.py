"""APICs of every mode side by side with the sets of `apic_oracle`, after every act."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rigs import apic_oracle as oracle
from rigs.apic_oracle import OracleApic

from lapis_engine.apic import access, apicbase, lvt, priority
from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import Ipi, decode, encode
from lapis_engine.apic.icr_rules import is_vector_illegal, refusal
from lapis_engine.apic.outcome import Outcome
from lapis_engine.apic.state import ApicState
from lapis_engine.cause import Cause
from lapis_engine.errors import EngineError
from lapis_engine.events import (
    Oddity,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_engine.profiles.catalog import ILLUMOS, SDM

NUMBERS = (0, 1, 2, 15, 16, 17)
"""Two clusters of x2APIC mode."""
BASES = {"disabled": 0xFEE0_0000, "xapic": 0xFEE0_0800, "x2apic": 0xFEE0_0C00}
TPR, EOI, LDR, DFR, SVR, ESR, ERROR = 0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, 0x370
SAME = settings(derandomize=True, deadline=None, database=None, max_examples=200)

vectors = st.integers(0, 255)
vector_sets = st.sets(vectors, max_size=12)
which = st.sampled_from(range(len(NUMBERS)))
destinations = st.one_of(
    st.sampled_from([*NUMBERS, 0xFF, 0x1_0003, 0x8000, 0xFFFF_FFFF, 0x13, 0x21]),
    st.integers(0, 0xFF),
    st.integers(0, 0x2_FFFF),
    st.integers(0, 0xFFFF_FFFF),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int]:
    """The low half of an ICR, often a valid one, and a destination."""
    mode = draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]))
    flags = draw(st.sampled_from([0x4000, 0x4000, 0xC000, 0x8000, 0]))
    logical = draw(st.sampled_from([0, 0x800]))
    shorthand = draw(st.sampled_from([0, 0, 0, 1, 2, 3]))
    low = draw(vectors) | mode << 8 | flags | logical | shorthand << 18
    return low, draw(destinations)


def numbered(found: list[OracleApic]) -> list[ApicState]:
    """Make engine APICs that hold what those of the oracle hold."""
    states = []
    for each in found:
        state = apic_state.reset(each.number, SDM)
        state.apicbase = BASES[each.mode]
        state.svr = 0x1FF if each.on else 0xFF
        state.id, state.ldr, state.dfr = each.id, each.logical << 24, each.model << 28
        state.isr = oracle.as_bits(each.serving)
        priority.set_tpr(state, each.tpr)
        states.append(state)
    return states


REASONS = {
    "combination": ("is reserved", "cannot have the shorthand"),
    "de-assert": ("de-assert is ignored",),
    "level bit": ("with the level bit clear is ignored",),
    "unimplemented": ("is not implemented",),
    "vector": ("is illegal: below 16",),
}
"""The oracle's word for why nothing is sent, and what the sentence must contain."""


def same_reason(found: Cause | None, why: str) -> bool:
    """Whether the engine drops an IPI for the oracle's reason, or neither does."""
    if not why or found is None:
        return not why and found is None
    return any(each in found.text for each in REASONS[why])


# Functions without state.


@SAME
@given(vectors, vector_sets)
def test_the_ppr_is_that_of_the_sets(tpr: int, serving: set[int]) -> None:
    found = priority.ppr(tpr, oracle.as_bits(serving))
    assert found == oracle.processor_priority(tpr, serving)


@SAME
@given(vector_sets, vectors, vector_sets)
def test_the_vector_deliverable_is_that_of_the_sets(
    waiting: set[int], tpr: int, serving: set[int]
) -> None:
    (state,) = numbered([OracleApic(0, tpr=tpr, serving=serving)])
    state.irr = oracle.as_bits(waiting)
    ppr = oracle.processor_priority(tpr, serving)
    assert priority.deliverable(state) == oracle.next_vector(waiting, ppr)
    assert priority.highest(state.irr) == max(waiting, default=-1)
    assert priority.vectors(state.irr) == sorted(waiting)


@SAME
@given(st.integers(0, 2**64 - 1), st.booleans())
def test_an_icr_reads_as_its_digits_do(icr: int, wide: bool) -> None:
    ask, found = oracle.read_icr(icr, wide=wide), decode(icr, x2apic=wide, sender=7)
    assert found == Ipi(
        7, icr, wide, ask.mode, ask.vector, ask.logical, ask.shorthand, ask.level,
        ask.assert_, ask.destination,
    )  # fmt: skip
    for profile in (SDM, ILLUMOS):
        why = oracle.refused(ask, bhyve=profile is ILLUMOS)
        assert same_reason(refusal(found, profile), why)
        assert is_vector_illegal(found, profile) is (why == "vector")


def test_nobody_can_change_a_request_which_the_next_ipi_shares() -> None:
    found = decode(0x4031, x2apic=False, sender=0)
    with pytest.raises(FrozenInstanceError):
        found.vector = 0x32  # type: ignore[misc]  # the point
    assert decode(0x4031, x2apic=False, sender=0).vector == 0x31


@SAME
@given(requests(), st.booleans())
def test_an_icr_put_together_reads_as_its_fields(
    request: tuple[int, int], wide: bool
) -> None:
    low, destination = request
    destination &= 0xFFFF_FFFF if wide else 0xFF
    icr = low | destination << (32 if wide else 56)
    ask = oracle.read_icr(icr, wide=wide)
    made = encode(
        oracle.MODES[0] if ask.mode == "reserved" else ask.mode, vector=ask.vector,
        destination=ask.destination, shorthand=ask.shorthand, logical=ask.logical,
        level=ask.level, assert_=ask.assert_, x2apic=wide,
    )  # fmt: skip
    assert made == (icr - 0x700 if ask.mode == "reserved" else icr)


@pytest.mark.parametrize(
    ("vector", "destination", "wide", "why"),
    [
        (-1, 0, False, "vector -0x1: vectors are 8 bits"),
        (0x100, 0, True, "vector 0x100: vectors are 8 bits"),
        (0, -1, False, "destination -0x1: ids are 8 bits here"),
        (0, 0x100, False, "destination 0x100: ids are 8 bits here"),
        (0, -1, True, "destination -0x1: ids are 32 bits here"),
        (0, 1 << 32, True, "destination 0x100000000: ids are 32 bits here"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_width(
    vector: int, destination: int, wide: bool, why: str
) -> None:
    with pytest.raises(EngineError, match=f"^{why}$"):
        encode("fixed", vector=vector, destination=destination, x2apic=wide)


oracle_apics = st.builds(
    OracleApic,
    number=st.one_of(st.sampled_from(NUMBERS), st.integers(0, 0xFFFE)),
    mode=st.sampled_from(["xapic", "x2apic"]),
    id=st.integers(0, 0xFF),
    logical=st.integers(0, 0xFF),
    model=st.sampled_from([15, 15, 0, 0, 1, 14]),
)


@settings(SAME, max_examples=500)
@given(oracle_apics, destinations, st.booleans(), st.booleans(), st.booleans())
def test_a_destination_names_whom_the_manual_says(
    apic: OracleApic, destination: int, logical: bool, wide: bool, near: bool
) -> None:
    if near and wide:  # a random destination seldom hits a random cluster
        destination = apic.number // 16 * 2**16 + destination % 2**16
    destination &= 0xFFFF_FFFF if wide else 0xFF
    low = 0x831 if logical else 0x31
    icr = low | destination << (32 if wide else 56)
    found = decode(icr, x2apic=wide, sender=0)
    (state,) = numbered([apic])
    named = apic.is_named(destination, logical=logical, wide=wide)
    assert apic_destination.matches(found, state) is named


@SAME
@given(st.lists(st.tuples(vectors, vector_sets, st.booleans()), max_size=5))
def test_lowest_priority_is_won_by_the_lowest_class(
    found: list[tuple[int, set[int], bool]],
) -> None:
    apics = [
        OracleApic(n, tpr=tpr, serving=serving, on=on)
        for n, (tpr, serving, on) in enumerate(found)
    ]
    assert set(apic_destination.lowest(numbered(apics))) == oracle.winner(apics)


@pytest.mark.parametrize(
    ("vector", "tpr", "serving", "ppr"),
    [
        (0x52, 0x50, 0x00, 0x50),
        (0x5F, 0x52, 0x00, 0x52),
        (0x4F, 0x50, 0x00, 0x50),
        (0xF1, 0xF0, 0x00, 0xF0),
        (0x21, 0x80, 0x00, 0x80),
        (0x52, 0x07, 0x51, 0x50),
    ],
)
def test_a_vector_that_is_held_back_cannot_be_delivered(
    vector: int, tpr: int, serving: int, ppr: int
) -> None:
    (state,) = numbered([OracleApic(0, tpr=tpr, serving={serving})])
    state.irr = 1 << vector
    with pytest.raises(AssertionError, match=rf"^\({vector}, {ppr}\)$"):
        priority.deliver(state)
    assert (state.irr, state.isr) == (1 << vector, 1 << serving)


# All of it together.


class Apics(RuleBasedStateMachine):
    """Guests write registers, messages arrive, processors take interrupts."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [apic_state.reset(n, SDM) for n in NUMBERS]
        self.models = [OracleApic(n) for n in NUMBERS]
        for n in range(len(NUMBERS)):
            self.write(n, SVR, 0x1FF)
            self.models[n].switch(on=True)

    def write(self, n: int, offset: int, value: int) -> Outcome | None:
        """Write a register as the mode has it; None is #GP."""
        state = self.states[n]
        if self.models[n].mode == "x2apic":
            return access.write_msr(state, 0x800 + offset // 16, value, 0, SDM)
        return access.write_mmio(state, offset, 4, value, 0, SDM)

    def is_off(self, n: int) -> bool:
        """Whether there are no registers to write."""
        return self.models[n].mode == "disabled"

    # The processor.

    @rule(n=which)
    def deliver(self, n: int) -> None:
        state, model = self.states[n], self.models[n]
        assert priority.deliverable(state) == model.next
        if model.next is not None:
            taken = priority.deliver(state)
            vector = model.deliver()
            assert taken == VectorDelivered(NUMBERS[n], vector, model.ppr)

    @rule(n=which, value=st.integers(0, 17))
    def write_cr8(self, n: int, value: int) -> None:
        legal = access.write_cr8(self.states[n], value) is not None
        assert legal is (value < 16)
        if legal:
            self.models[n].tpr = value * 16

    @rule(n=which, mode=st.sampled_from(["xapic", "x2apic", "x2apic", "disabled"]))
    def change_mode(self, n: int, mode: str) -> None:
        state = self.states[n]
        value = BASES[mode] | state.apicbase & 0x100
        legal = apicbase.write(state, value, SDM) is not None
        assert legal is self.models[n].move(mode)

    # Registers.

    @rule(n=which)
    def eoi(self, n: int) -> None:
        if self.is_off(n):
            return
        out, ended, model = self.write(n, EOI, 0), self.models[n].end(), self.models[n]
        assert out is not None
        if ended is None:
            assert [type(each) for each in out] == [Oddity]
        else:
            assert out == (VectorEnded(NUMBERS[n], *ended, model.ppr),)

    @rule(n=which, value=vectors)
    def write_tpr(self, n: int, value: int) -> None:
        if not self.is_off(n):
            assert self.write(n, TPR, value) == ()
            self.models[n].tpr = value

    @rule(n=which, on=st.sampled_from([True, True, False]), spurious=vectors)
    def write_svr(self, n: int, on: bool, spurious: int) -> None:
        if not self.is_off(n):
            assert self.write(n, SVR, spurious | (0x100 if on else 0)) == ()
            self.models[n].switch(on=on)

    @rule(n=which, byte=vectors)
    def write_id_or_ldr(self, n: int, byte: int) -> None:
        for offset, name in ((0x20, "id"), (LDR, "logical")):
            if self.models[n].mode == "x2apic":
                assert self.write(n, offset, byte << 24) is None
            elif not self.is_off(n):
                assert self.write(n, offset, byte << 24) == ()
                setattr(self.models[n], name, byte)

    @rule(n=which, model=st.sampled_from([15, 0, 0, 7]))
    def write_dfr(self, n: int, model: int) -> None:
        if self.models[n].mode == "x2apic":
            assert self.write(n, DFR, model << 28) is None
        elif not self.is_off(n):
            assert self.write(n, DFR, model << 28) == ()
            self.models[n].model = model

    @rule(
        n=which, vector=st.sampled_from([0, 15, 16, 0x31, 0xFE]), masked=st.booleans()
    )
    def write_lvt_error(self, n: int, vector: int, masked: bool) -> None:
        if not self.is_off(n):
            self.write(n, ERROR, vector | (0x1_0000 if masked else 0))
            self.models[n].write_error_entry(vector, masked=masked)

    @rule(n=which)
    def write_esr(self, n: int) -> None:
        if not self.is_off(n):
            assert self.write(n, ESR, 0) == ()
            self.models[n].write_esr()

    # Messages.

    @rule(n=which, vector=vectors, level=st.booleans())
    def message(self, n: int, vector: int, level: bool) -> None:
        if not self.is_off(n):
            out = lvt.receive(self.states[n], vector, "msi", SDM, level=level)
            took = self.models[n].receive(vector, level=level)
            kind = VectorAccepted if took else VectorRefused
            assert type(out[0]) is kind

    @precondition(lambda self: any(not self.is_off(n) for n in range(len(NUMBERS))))
    @rule(n=which, request=requests())
    def send(self, n: int, request: tuple[int, int]) -> None:
        if self.is_off(n):
            return
        low, destination = request
        wide = self.models[n].mode == "x2apic"
        if wide:
            icr = low | destination << 32
            out = self.write(n, 0x300, icr)
        else:
            icr = low | destination % 256 << 56
            self.write(n, 0x310, destination % 256 << 24)
            out = self.write(n, 0x300, low)
        assert out is not None
        self.carry(n, icr, out, wide)

    @rule(n=which, vector=vectors)
    def self_ipi(self, n: int, vector: int) -> None:
        if self.models[n].mode == "x2apic":
            out = access.write_msr(self.states[n], 0x83F, vector, 0, SDM)
            assert out is not None
            self.carry(n, 0x4_4000 | vector, out, wide=True)

    def carry(self, n: int, icr: int, out: Outcome, wide: bool) -> None:
        """Do to the targets what the IPI asks, on both sides."""
        ask, sent = oracle.read_icr(icr, wide=wide), out[0]
        assert isinstance(sent, Ipi)
        why = oracle.refused(ask)
        assert same_reason(refusal(sent, SDM), why)
        if why == "vector":
            self.models[n].error(oracle.SEND_ILLEGAL)
        wanted = oracle.reached(ask, NUMBERS[n], self.models)
        targets = apic_destination.targets(sent, self.states, SDM)
        assert targets == tuple(sorted(wanted))
        if why or ask.mode not in ("fixed", "lowest"):
            return
        for number in targets:
            at = NUMBERS.index(number)
            lvt.receive(self.states[at], sent.vector, "ipi", SDM)
            self.models[at].receive(ask.vector)

    # What a debugger would show.

    @invariant()
    def the_registers_are_the_sets(self) -> None:
        for state, model in zip(self.states, self.models, strict=True):
            for name, wanted in (
                ("irr", model.waiting),
                ("isr", model.serving),
                ("tmr", model.level),
                ("esr", model.shown),
                ("esr_pending", model.found),
            ):
                found = getattr(state, name)
                assert oracle.as_set(found) == wanted, (model.number, name)
            assert (state.tpr, state.ppr) == (model.tpr, model.ppr)
            assert access.peek(state, 0xA0, 0, SDM) == model.ppr
            assert priority.deliverable(state) == model.next
            assert apic_state.mode(state) == model.mode

    @invariant()
    def the_ids_are_the_manual_s(self) -> None:
        for state, model in zip(self.states, self.models, strict=True):
            if model.mode == "x2apic":
                logical = model.number // 16 * 2**16 + 2 ** (model.number % 16)
                ids = model.number, logical
            else:
                ids = model.id, model.logical << 24
            assert apic_state.apic_id(state) == ids[0]
            assert apic_state.logical_id(state) == ids[1]


TestApics = Apics.TestCase
TestApics.settings = settings(SAME, max_examples=250, stateful_step_count=50)
