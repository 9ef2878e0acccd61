"""The APIC timer against a clock of 1 GHz, where a tick is 1 ns, and that of bhyve.

Divisors are those of the SDM's figure "Divide Configuration Register".
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.apic import access, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.outcome import Outcome
from lapis_engine.apic.state import ApicState
from lapis_engine.events import (
    ApicError,
    TimerArmed,
    TimerFired,
    VectorAccepted,
    VectorRefused,
)
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from lapis_engine.profiles.switches import Profile

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


def test_a_new_divisor_moves_the_deadline_and_not_the_count() -> None:
    state = apic(0x40, 0)  # by 2
    write(state, 0x380, 1000)
    assert count(state, 1000) == 500
    assert write(state, 0x3E0, 1, now=1000) == (TimerArmed(0, 3000),)  # by 4
    assert (count(state, 1000), count(state, 2999)) == (500, 1)
    assert write(state, 0x3E0, 0xB, now=1400) == (TimerArmed(0, 1800),)  # by 1
    assert (count(state, 1400), count(state, 1800)) == (400, 0)
    assert write(state, 0x3E0, 0xB, now=1500) == ()
    write(state, 0x380, 0)
    assert write(state, 0x3E0, 0, now=1500) == ()
    assert timer.deadline(state) is None


def test_a_new_divisor_moves_the_count_and_not_the_deadline_in_bhyve() -> None:
    keeping = replace(SDM, divide_moves_deadline=False)

    def left(now: int) -> int:
        return access.read_mmio(state, 0x390, 4, now, keeping)[0]

    state = apic(0x40, 0)  # by 2
    write(state, 0x380, 1000)
    assert access.write_mmio(state, 0x3E0, 4, 1, 1000, keeping) == ()  # by 4
    assert (left(1000), state.timer_deadline) == (250, 2000)
    access.write_mmio(state, 0x3E0, 4, 0xB, 1000, keeping)
    assert (left(0), left(1500)) == (1000, 500)  # by 1: never above the initial count


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
    ("now", "due", "anew"),
    [(100, 200, 200), (199, 200, 200), (200, 300, 300), (201, 300, 301),
     (299, 300, 399), (1050, 1100, 1150)],
)  # fmt: skip
def test_periodic_keeps_its_beat_and_in_bhyve_until_it_misses_one(
    now: int, due: int, anew: int
) -> None:
    for profile, wanted in ((SDM, due), (replace(SDM, timer_keeps_phase=False), anew)):
        state = apic(0x2_0040)
        write(state, 0x380, 100)
        timer.expire(state, now, profile)
        assert timer.deadline(state) == wanted
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


@pytest.mark.parametrize(
    ("base", "svr", "profile", "hears"),
    [
        (0xFEE0_0900, 0xFF, SDM, True),  # off by software: told, and does not take it
        (0xFEE0_0100, 0x1FF, SDM, False),
        (0xFEE0_0900, 0xFF, ILLUMOS, True),
    ],
)
def test_an_apic_that_is_off_takes_no_tick(
    base: int, svr: int, profile: Profile, hears: bool
) -> None:
    state = apic(0x40)
    write(state, 0x380, 100)
    state.apicbase, state.svr = base, svr
    fired, *more = timer.expire(state, 100, profile)
    assert fired == TimerFired(0, 0x40, False)
    assert [type(each) for each in more] == ([VectorRefused] if hears else [])
    assert state.irr == 0


def test_bhyve_looks_at_svr_only_when_the_timer_fires() -> None:
    state = apic(0x40)
    write(state, 0x380, 100)
    state.apicbase = 0xFEE0_0100
    timer.expire(state, 100, ILLUMOS)
    assert state.irr == 1 << 0x40


def test_an_illegal_vector_is_an_error_when_it_is_written_or_fires() -> None:
    state = apic(0x0F)
    assert (state.irr, state.esr_pending) == (0, 0x40)
    write(state, 0x280, 0)
    write(state, 0x380, 100)
    assert timer.expire(state, 100, SDM) == (
        TimerFired(0, 0x0F, False),
        ApicError(0, 6, "receive illegal vector"),
    )
    assert (state.irr, state.esr_pending) == (0, 0x40)


def test_an_illegal_vector_is_a_send_error_when_it_fires_in_bhyve() -> None:
    state = apic(0x40)
    access.write_mmio(state, 0x320, 4, 0x0F, 0, ILLUMOS)
    access.write_mmio(state, 0x380, 4, 100, 0, ILLUMOS)
    assert state.esr_pending == 0
    assert timer.expire(state, 1000, ILLUMOS) == (
        TimerFired(0, 0x0F, False),
        ApicError(0, 5, "send illegal vector"),
    )
    assert (state.irr, state.esr_pending) == (0, 0x20)


# TSC-deadline mode (SDM Vol. 3A "TSC-Deadline Mode").


def test_tsc_deadline_mode_cannot_be_chosen_where_there_is_none() -> None:
    state = apic(0x40)
    access.write_mmio(state, 0x320, 4, 0x6_0040, 0, ILLUMOS)
    assert access.read_mmio(state, 0x320, 4, 0, ILLUMOS)[0] == 0x2_0040


def test_a_tsc_deadline_fires_once_and_is_then_disarmed() -> None:
    state = apic(0x4_0040)
    assert timer.write_tsc_deadline(state, 500, 250, SDM) == (TimerArmed(0, 250),)
    assert (state.tsc_deadline, count(state, 0)) == (500, 0)
    assert timer.expire(state, 250, SDM) == (
        TimerFired(0, 0x40, False),
        VectorAccepted(0, 0x40, False, "timer"),
    )
    assert (timer.deadline(state), state.tsc_deadline) == (None, 0)


def test_a_tsc_deadline_of_0_disarms() -> None:
    state = apic(0x4_0040)
    timer.write_tsc_deadline(state, 500, 250, SDM)
    assert timer.write_tsc_deadline(state, 0, 0, SDM) == (TimerArmed(0, None),)
    assert timer.write_tsc_deadline(state, 0, 0, SDM) == ()
    assert (timer.deadline(state), state.tsc_deadline) == (None, 0)


@pytest.mark.parametrize("entry", [0x40, 0x2_0040])
def test_a_tsc_deadline_outside_its_mode_is_ignored(entry: int) -> None:
    state = apic(entry)
    write(state, 0x380, 100)
    assert timer.write_tsc_deadline(state, 500, 250, SDM) == ()
    assert (timer.deadline(state), state.tsc_deadline) == (100, 0)


def test_the_initial_count_is_ignored_in_tsc_deadline_mode() -> None:
    state = apic(0x4_0040)
    timer.write_tsc_deadline(state, 500, 250, SDM)
    assert write(state, 0x380, 100) == ()
    assert access.read_mmio(state, 0x380, 4, 0, SDM)[0] == 0
    assert write(state, 0x3E0, 0) == ()
    assert timer.deadline(state) == 250


@pytest.mark.parametrize(
    ("before", "after", "armed"),
    [
        (0x40, 0x2_0041, True),
        (0x2_0040, 0x41, True),
        (0x40, 0x4_0040, False),
        (0x2_0040, 0x4_0040, False),
        (0x4_0040, 0x40, False),
        (0x4_0040, 0x2_0040, False),
        (0x4_0040, 0x5_0041, True),
    ],
)
def test_a_change_into_or_out_of_tsc_deadline_mode_disarms(
    before: int, after: int, armed: bool
) -> None:
    state = apic(before)
    if before & 0x4_0000:
        timer.write_tsc_deadline(state, 500, 100, SDM)
    else:
        write(state, 0x380, 100)
    assert write(state, 0x320, after) == (() if armed else (TimerArmed(0, None),))
    assert timer.deadline(state) == (100 if armed else None)
