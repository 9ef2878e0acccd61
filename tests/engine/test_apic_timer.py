"""The APIC timer against a clock of 1 GHz, where a tick is 1 ns, and that of bhyve.

Divisors are those of the SDM's figure "Divide Configuration Register".
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.apic import access, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.outcome import Outcome
from lapis_engine.apic.state import ApicState
from lapis_engine.events import TimerArmed, TimerFired, VectorAccepted, VectorRefused
from lapis_engine.profiles import ILLUMOS, SDM, Profile

DIVISORS = {0: 2, 1: 4, 2: 8, 3: 16, 8: 32, 9: 64, 0xA: 128, 0xB: 1}
HERTZ = {"sdm": 1_000_000_000, "illumos": 134_217_728}


def apic(lvt: int, divide: int = 0xB) -> ApicState:
    state = apic_state.reset(0, SDM)
    state.svr = 0x1FF
    write(state, 0x320, lvt)
    write(state, 0x3E0, divide)
    return state


def write(state: ApicState, offset: int, value: int, now: int = 0) -> Outcome:
    return access.write_mmio(state, offset, 4, value, now, SDM)


def count(state: ApicState, now: int) -> int:
    return access.read_mmio(state, 0x390, 4, now, SDM)[0]


@pytest.mark.parametrize(("divide", "ns"), [(0xB, 10**9), (0, 2 * 10**9)])
def test_a_full_second_of_bhyve(divide: int, ns: int) -> None:
    state = apic(0x40, divide)
    outcome = access.write_mmio(state, 0x380, 4, 134_217_728, 7, ILLUMOS)
    assert outcome == (TimerArmed(0, 7 + ns),)
    assert access.read_mmio(state, 0x390, 4, 7, ILLUMOS)[0] == 134_217_728
    assert access.read_mmio(state, 0x390, 4, 7 + ns // 2, ILLUMOS)[0] == 67_108_864
    assert access.read_mmio(state, 0x390, 4, 7 + ns, ILLUMOS)[0] == 0


@given(
    st.sampled_from([SDM, ILLUMOS]),
    st.sampled_from(sorted(DIVISORS)),
    st.integers(1, 0xFFFF_FFFF),
    st.integers(0, 10**12),
)
def test_the_count_never_fires_early_nor_a_nanosecond_late(
    profile: Profile, divide: int, initial: int, now: int
) -> None:
    state = apic(0x40, divide)
    (armed,) = access.write_mmio(state, 0x380, 4, initial, now, profile)
    assert isinstance(armed, TimerArmed)
    assert armed.deadline is not None
    took = armed.deadline - now
    ticks, per_second = initial * DIVISORS[divide] * 10**9, HERTZ[profile.name]
    assert (took - 1) * per_second < ticks <= took * per_second
    assert access.read_mmio(state, 0x390, 4, now, profile)[0] == initial
    assert access.read_mmio(state, 0x390, 4, armed.deadline - 1, profile)[0] >= 1
    assert access.read_mmio(state, 0x390, 4, armed.deadline, profile)[0] == 0


@pytest.mark.parametrize("raw", [4, 7, 0xC, 0xF, 0xFFFF_FFF0])
def test_the_divide_register_has_three_bits(raw: int) -> None:
    state = apic(0x40, raw)
    write(state, 0x380, 100)
    assert state.timer_deadline == 100 * DIVISORS[raw & 0xB]
    assert access.read_mmio(state, 0x3E0, 4, 0, SDM)[0] == raw & 0xB


def test_a_new_divisor_moves_the_count_and_not_the_deadline() -> None:
    state = apic(0x40, 0)  # by 2
    write(state, 0x380, 1000)
    assert count(state, 1000) == 500
    write(state, 0x3E0, 1)  # by 4
    assert (count(state, 1000), state.timer_deadline) == (250, 2000)
    write(state, 0x3E0, 0xB)  # by 1: never above the initial count
    assert (count(state, 0), count(state, 1500)) == (1000, 500)


def test_one_shot_keeps_the_initial_count_and_stops() -> None:
    state = apic(0x40)
    write(state, 0x380, 100)
    assert timer.deadline(state) == 100
    assert timer.expire(state, 130, SDM) == (
        TimerFired(0, 0x40, False),
        VectorAccepted(0, 0x40, False, "timer"),
    )
    assert (timer.deadline(state), count(state, 130)) == (None, 0)
    assert access.read_mmio(state, 0x380, 4, 130, SDM)[0] == 100


@pytest.mark.parametrize(
    ("now", "due"), [(100, 200), (199, 200), (200, 300), (201, 301), (1000, 1100)]
)
def test_periodic_keeps_its_beat_until_it_misses_one(now: int, due: int) -> None:
    state = apic(0x2_0040)
    write(state, 0x380, 100)
    timer.expire(state, now, SDM)
    assert timer.deadline(state) == due
    assert state.irr == 1 << 0x40


@pytest.mark.parametrize(
    ("before", "after", "due"), [(0x40, 0x2_0041, 200), (0x2_0040, 0x41, None)]
)
def test_mode_and_vector_are_those_at_the_time_of_firing(
    before: int, after: int, due: int | None
) -> None:
    state = apic(before)
    write(state, 0x380, 100)
    write(state, 0x320, after)
    assert timer.expire(state, 100, SDM)[0] == TimerFired(0, 0x41, False)
    assert (timer.deadline(state), state.irr) == (due, 1 << 0x41)


def test_a_masked_periodic_timer_keeps_counting_in_silence() -> None:
    state = apic(0x3_0040)
    write(state, 0x380, 100)
    assert timer.expire(state, 100, SDM) == (TimerFired(0, 0x40, True),)
    assert (timer.deadline(state), count(state, 130), state.irr) == (200, 70, 0)


def test_a_write_starts_anew_even_with_the_same_value_and_0_stops() -> None:
    state = apic(0x40)
    assert write(state, 0x380, 100) == (TimerArmed(0, 100),)
    assert write(state, 0x380, 100, now=60) == (TimerArmed(0, 160),)
    assert write(state, 0x380, 0, now=70) == (TimerArmed(0, None),)
    assert (count(state, 80), timer.deadline(state)) == (0, None)
    assert access.read_mmio(state, 0x380, 4, 80, SDM)[0] == 0


def test_a_timer_armed_while_the_apic_is_off_fires_masked() -> None:
    state = apic(0x40)
    write(state, 0xF0, 0xFF)
    write(state, 0x380, 100)
    assert timer.expire(state, 100, SDM) == (TimerFired(0, 0x40, True),)


@pytest.mark.parametrize("base", [0xFEE0_0900, 0xFEE0_0100])
def test_an_apic_that_is_off_takes_no_tick(base: int) -> None:
    state = apic(0x40)
    write(state, 0x380, 100)
    state.apicbase, state.svr = base, 0xFF if base & 0x800 else 0x1FF
    assert timer.expire(state, 100, SDM) == (TimerFired(0, 0x40, False),)
    assert state.irr == 0


def test_an_illegal_vector_is_an_error_received_when_it_fires() -> None:
    state = apic(0x0F)
    write(state, 0x380, 100)
    _, refused = timer.expire(state, 100, SDM)
    assert isinstance(refused, VectorRefused)
    assert (state.irr, state.esr_pending) == (0, 0x40)


def test_tsc_deadline_mode_cannot_be_chosen() -> None:
    state = apic(0x6_0040)
    assert access.read_mmio(state, 0x320, 4, 0, SDM)[0] == 0x2_0040
