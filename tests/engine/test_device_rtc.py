"""The real-time clock of a PC against the MC146818A datasheet."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.slow_rtc import SlowRtc

from lapis_engine.devices import rtc
from lapis_engine.devices.device import Device, LineChanged, Signals
from lapis_plugins.testing import Touch, check_device

SECOND = 1_000_000_000
UPDATE = 244_000 + 1_984_000
HIGH, LOW = LineChanged(8, asserted=True), LineChanged(8, asserted=False)
CLOCK = (0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32)


def new() -> Device:
    return rtc.device(64 << 20, 2)


def cell(device: Device, index: int, now: int = 0) -> int:
    device.access.write(device.state, 0x70, 1, index, now)
    return device.access.read(device.state, 0x71, 1, now)


def put(device: Device, index: int, value: int, now: int = 0) -> Signals:
    device.access.write(device.state, 0x70, 1, index, now)
    return device.access.write(device.state, 0x71, 1, value, now)


def deadline(device: Device) -> int | None:
    assert device.timer is not None
    return device.timer.deadline(device.state)


def advance(device: Device, now: int) -> Signals:
    assert device.timer is not None
    return device.timer.advance(device.state, now)


def date(device: Device, now: int) -> tuple[int, ...]:
    return tuple(cell(device, index, now) for index in CLOCK)


def set_clock(device: Device, cells: tuple[int, ...], now: int, form: int = 2) -> None:
    put(device, 0x0B, 0x80 | form, now)
    for index, value in zip(CLOCK, cells, strict=True):
        put(device, index, value, now)
    put(device, 0x0B, form, now)


def test_it_begins_on_saturday_the_1st_of_january_2000() -> None:
    assert date(new(), 0) == (0, 0, 0, 7, 1, 1, 0, 0x20)
    assert [cell(new(), index) for index in (0x0A, 0x0B, 0x0D)] == [0x26, 0x02, 0x80]
    assert deadline(new()) is None


def test_equipment_and_memory_are_in_their_cells() -> None:
    device = rtc.device(0xC000_0000, 8, 5 << 30)
    assert cell(device, 0x14) == 0x06  # x87 and a PS/2 mouse
    assert (cell(device, 0x15), cell(device, 0x16)) == (0x80, 0x02)  # 640 KiB
    assert [cell(device, i) for i in (0x17, 0x18, 0x30, 0x31)] == [0xFF] * 4
    assert (cell(device, 0x34), cell(device, 0x35)) == (0x00, 0xBF)  # 64 KiB units
    assert [cell(device, i) for i in (0x5B, 0x5C, 0x5D)] == [0x00, 0x40, 0x01]
    assert cell(device, 0x5F) == 7


def test_the_clock_is_set_and_goes_on_over_the_end_of_the_year() -> None:
    device = new()
    set_clock(device, (0x58, 0x59, 0x23, 6, 0x31, 0x12, 0x99, 0x19), SECOND // 2)
    assert date(device, SECOND - 1) == (0x58, 0x59, 0x23, 6, 0x31, 0x12, 0x99, 0x19)
    assert date(device, SECOND)[0] == 0x59
    assert date(device, 2 * SECOND) == (0, 0, 0, 7, 1, 1, 0, 0x20)


def test_the_29th_of_february_is_where_it_belongs() -> None:
    for year, century, day, month in (
        (0x24, 0x20, 0x29, 2), (0x23, 0x20, 1, 3), (0x00, 0x21, 1, 3)
    ):  # fmt: skip
        device = new()
        set_clock(device, (0x59, 0x59, 0x23, 1, 0x28, 2, year, century), 0)
        assert date(device, SECOND)[4:6] == (day, month)


def test_while_set_is_on_the_cells_stand_and_read_as_they_were_written() -> None:
    device = new()
    put(device, 0x0B, 0x92)
    assert cell(device, 0x0B) == 0x82  # UIE is cleared
    put(device, 0x00, 0x7F)
    assert cell(device, 0x00, 100 * SECOND) == 0x7F
    assert cell(device, 0x0A, 100 * SECOND - 1) == 0x26  # no update, no UIP


def test_a_cell_is_written_while_the_clock_runs_and_the_phase_stays() -> None:
    device = new()
    put(device, 0x02, 0x30, SECOND + 100)
    assert date(device, 2 * SECOND - 1)[:3] == (1, 0x30, 0)
    assert date(device, 2 * SECOND)[:3] == (2, 0x30, 0)


def test_binary_and_12_hours() -> None:
    device = new()
    set_clock(device, (59, 59, 0x80 | 11, 1, 31, 12, 24, 20), 0, form=0x04)
    assert date(device, 0) == (59, 59, 0x8B, 1, 31, 12, 24, 20)
    assert date(device, SECOND) == (0, 0, 12, 2, 1, 1, 25, 20)
    put(device, 0x0B, 0x02)
    assert cell(device, 0x04) == 0x23


def test_uip_is_set_for_2228_us_before_the_cells_move() -> None:
    device = new()
    assert cell(device, 0x0A, SECOND - UPDATE - 1) == 0x26
    assert cell(device, 0x0A, SECOND - UPDATE) == 0xA6
    assert cell(device, 0x00, SECOND - 1) == 0
    assert cell(device, 0x0A, SECOND - 1) == 0xA6
    assert cell(device, 0x0A, SECOND) == 0x26


@pytest.mark.parametrize(("divider", "stands"), [(0, 0), (2, 0), (3, 1), (6, 1)])
def test_from_divider_3_on_the_clock_stands(divider: int, stands: int) -> None:
    device = new()
    put(device, 0x0A, divider << 4 | 6)
    assert cell(device, 0x00, SECOND) == 1 - stands


def test_letting_go_of_the_divider_brings_an_update_half_a_second_later() -> None:
    device = new()
    put(device, 0x0A, 0x76, 10 * SECOND)
    assert cell(device, 0x00, 99 * SECOND) == 0x10
    put(device, 0x0A, 0x26, 100 * SECOND + 7)
    half = 100 * SECOND + 7 + SECOND // 2
    assert cell(device, 0x00, half - 1) == 0x10
    assert cell(device, 0x00, half) == 0x11


def test_update_ended_interrupts_once_a_second_until_c_is_read() -> None:
    device = new()
    assert put(device, 0x0B, 0x12, 100) == ()
    assert deadline(device) == SECOND
    assert advance(device, SECOND) == (HIGH,)
    assert deadline(device) is None  # until C is read
    assert cell(device, 0x0C, SECOND + 50) == 0xD0  # PF, too: rate 6 is on
    assert deadline(device) == SECOND + 51
    assert advance(device, SECOND + 51) == (LOW,)
    assert cell(device, 0x0C, SECOND + 60) == 0
    assert deadline(device) == 2 * SECOND


def test_flags_are_set_whether_they_interrupt_or_not() -> None:
    device = new()
    assert cell(device, 0x0C, SECOND - 1) == 0x40  # rate 6, 1024 Hz
    assert cell(device, 0x0C, SECOND) == 0x50
    put(device, 0x0B, 0x02)
    cell(device, 0x0C, 2 * SECOND)
    assert put(device, 0x0B, 0x12, 3 * SECOND) == (HIGH,)  # UF was there


@pytest.mark.parametrize(
    ("rate", "ns"),
    [
        (1, 3_906_250), (2, 7_812_500), (3, 122_071), (6, 976_563), (9, 7_812_500),
        (13, 125_000_000), (14, 250_000_000), (15, 500_000_000),
    ],
)  # fmt: skip
def test_the_periodic_interrupt_has_the_rates_of_the_table(rate: int, ns: int) -> None:
    device = new()
    put(device, 0x0A, 0x20 | rate)
    put(device, 0x0B, 0x42)
    assert deadline(device) == ns
    assert advance(device, ns) == (HIGH,)


def test_rate_0_is_no_interrupt_and_8192_in_a_second_are_exact() -> None:
    device = new()
    put(device, 0x0A, 0x20)
    put(device, 0x0B, 0x42)
    assert deadline(device) is None
    put(device, 0x0A, 0x23)
    edges, now = 0, 0
    while now < SECOND:
        due = deadline(device)
        assert due is not None
        now = due
        edges += advance(device, now).count(HIGH)
        cell(device, 0x0C, now)
    assert (edges, now) == (8192, SECOND)


@pytest.mark.parametrize(
    ("alarm", "seconds"),
    [
        ((0x05, 0x00, 0x00), 5),
        ((0x00, 0x01, 0xFF), 60),
        ((0xC0, 0xC0, 0xFF), 1),
        ((0x10, 0x00, 0x23), 23 * 3600 + 10),
        ((0x00, 0x00, 0x00), 86_400),
        ((0x00, 0xFF, 0x07), 7 * 3600),
    ],
)
def test_the_alarm_matches_its_cells_and_any_where_they_do_not_care(
    alarm: tuple[int, int, int], seconds: int
) -> None:
    device = new()
    for index, value in zip((1, 3, 5), alarm, strict=True):
        put(device, index, value)
    put(device, 0x0B, 0x22)
    assert deadline(device) == seconds * SECOND
    assert advance(device, seconds * SECOND) == (HIGH,)
    assert cell(device, 0x0C, seconds * SECOND) & 0xA0 == 0xA0


def test_an_alarm_at_no_time_never_comes() -> None:
    device = new()
    put(device, 1, 0x7A)
    put(device, 0x0B, 0x22)
    assert deadline(device) is None


def test_a_flag_that_comes_as_the_line_falls_is_a_new_edge() -> None:
    device = new()
    put(device, 0x0B, 0x12)
    advance(device, SECOND)
    cell(device, 0x0C, 2 * SECOND - 1)
    assert deadline(device) == 2 * SECOND
    assert advance(device, 2 * SECOND) == (LOW, HIGH)


def test_a_reset_clears_what_the_reset_pin_does() -> None:
    device = new()
    assert {"enables", "flags", "line", "index"}.isdisjoint(device.kept)
    assert {"ram", "status_a", "second", "mark", "cells"} <= device.kept


FORMS = st.sampled_from((0, 2, 4, 6))
OPS = st.one_of(
    st.tuples(st.just("b"), FORMS, st.integers(0, 7)),
    st.tuples(st.just("rate"), st.integers(0, 15), st.sampled_from((2, 2, 7))),
    st.tuples(st.just("alarm"), st.integers(0, 2),
              st.sampled_from((0, 1, 2, 0x59, 0x81, 0xFF))),
    st.tuples(st.just("set"), st.datetimes(dt.datetime(1970, 1, 1)), st.integers(1, 7)),
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 2 * SECOND), OPS), max_size=8))
@settings(max_examples=40, deadline=None)
def test_it_does_what_one_does_that_counts_every_step(
    steps: list[tuple[int, tuple[str, object, int]]],
) -> None:
    device, slow = new(), SlowRtc()
    now, up, form = 0, False, 2
    for later, (kind, what, more) in steps:
        now += later
        slow.until(now)
        up = run_to(device, now, up=up)
        signals: Signals = ()
        if kind == "b" and not slow.held:
            assert isinstance(what, int)
            form = what
            slow.binary, slow.hours_24 = bool(form & 4), bool(form & 2)
            slow.enables = more << 4
            signals = put(device, 0x0B, form | more << 4, now)
        elif kind == "rate":
            assert isinstance(what, int)
            slow.rate = what
            if more == 7:
                slow.held = True
            else:
                slow.let_go(now)
            signals = put(device, 0x0A, more << 4 | what, now)
        elif kind == "alarm":
            assert isinstance(what, int)
            slow.alarm[what] = more
            signals = put(device, (1, 3, 5)[what], more, now)
        elif kind == "set":
            assert isinstance(what, dt.datetime)
            signals = set_both(device, slow, what, more, form, now)
        for signal in signals:
            assert isinstance(signal, LineChanged)
            up = signal.asserted
        assert up == bool(slow.flags & slow.enables)
        assert date(device, now) == tuple(slow.shown(which) for which in range(8))
        assert bool(cell(device, 0x0A, now) & 0x80) == slow.updating(now)
        assert cell(device, 0x0C, now) == slow.take_flags()
        now += 1
        slow.until(now)
        up = run_to(device, now, up=up)


def set_both(
    device: Device, slow: SlowRtc, when: dt.datetime, weekday: int, form: int, now: int
) -> Signals:
    """Stop the clock, write every cell, let it run again."""
    slow.clock = [
        when.second, when.minute, when.hour, weekday, when.day, when.month, when.year,
    ]  # fmt: skip
    cells = tuple(slow.shown(which) for which in range(8))
    enables, slow.enables = slow.enables, slow.enables & ~0x10
    signals = put(device, 0x0B, 0x80 | form | enables, now)
    for index, value in zip(CLOCK, cells, strict=True):
        put(device, index, value, now)
    return signals + put(device, 0x0B, form | slow.enables, now)


def run_to(device: Device, now: int, *, up: bool) -> bool:
    due = deadline(device)
    while due is not None and due <= now:
        for signal in advance(device, due):
            assert isinstance(signal, LineChanged)
            assert signal.asserted != up
            up = signal.asserted
        due = deadline(device)
    return up


@given(
    st.integers(0, 127), st.sampled_from((0, 2, 4, 6, 0x82)), st.integers(0, 10**10),
    st.integers(0, 3 * SECOND),
)  # fmt: skip
def test_a_plain_cell_stays_as_it_says(
    index: int, form: int, now: int, on: int
) -> None:
    device = new()
    put(device, 0x0B, form, now // 2)
    put(device, 0x70, index)
    value = cell(device, index, now)
    assert device.plain is not None
    said = device.plain(device.state, 0x71, 1, now)
    if index == 0x0C:
        assert said is None
        return
    assert said is not None
    then = now + on if said.until is None else min(now + on, said.until - 1)
    assert said.at(now) == value
    assert said.at(then) == device.access.read(device.state, 0x71, 1, then)
    if said.until is not None and index in (0x00, 0x0A):
        assert device.access.read(device.state, 0x71, 1, said.until) != value


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    def write(index: int, value: int) -> list[Touch]:
        return [Touch(0x70, 1, index), Touch(0x71, 1, value)]

    read_c = [Touch(0x70, 1, 0x0C), Touch(0x71, 1)]
    touches = [
        *write(0x0A, 0x23), *write(0x0B, 0x72), *write(1, 0xFF), *(read_c * 20),
        *write(0x0B, 0xF2), *write(0x02, 0x17), *read_c, *write(0x0B, 0x52),
        *(read_c * 20), *write(0x0A, 0x76), *(read_c * 5),
    ]  # fmt: skip
    check_device(new, touches)
    check_device(new)
