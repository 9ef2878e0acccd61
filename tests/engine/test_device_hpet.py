"""The HPET against IA-PC HPET Specification 1.0a; a tick is 10 ns."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.slow_hpet import SlowHpet

from lapis_engine.devices import hpet
from lapis_engine.devices.device import (
    Device,
    GsiChanged,
    InterruptMessage,
    LineChanged,
    Signals,
)
from lapis_engine.events import Oddity
from lapis_plugins.testing import Touch, check_device

BASE = 0xFED0_0000
ENABLE, LEGACY = 1, 2
LEVEL, INTERRUPTS, PERIODIC, VALUE_SET, IS_32 = 2, 4, 8, 0x40, 0x100
FSB = 0x4000


def read(device: Device, offset: int, now: int = 0, size: int = 8) -> int:
    return device.access.read(device.state, BASE + offset, size, now)


def write(
    device: Device, offset: int, value: int, now: int = 0, size: int = 8
) -> Signals:
    return device.access.write(device.state, BASE + offset, size, value, now)


def deadline(device: Device) -> int | None:
    assert device.timer is not None
    return device.timer.deadline(device.state)


def advance(device: Device, now: int) -> Signals:
    assert device.timer is not None
    return device.timer.advance(device.state, now)


def pulse(irq: int) -> Signals:
    return (
        LineChanged(irq, asserted=True, is_final=True),
        LineChanged(irq, asserted=False, is_final=True),
    )


def test_capabilities_say_10_ns_three_timers_64_bits_and_legacy_replacement() -> None:
    device = hpet.device()
    assert read(device, 0) == 0x0098_9680_8086_A201
    assert read(device, 0, size=4) == 0x8086_A201
    assert read(device, 4, size=4) == 10_000_000  # fs
    for timer in range(3):
        assert read(device, 0x100 + 0x20 * timer) == 0x00FF_0104_0000_8030
    assert read(device, 0x160) == 0  # there is no fourth


def test_the_counter_counts_100_mhz_while_it_is_enabled() -> None:
    device = hpet.device()
    assert read(device, 0xF0, 1000) == 0
    write(device, 0x10, ENABLE, 1000)
    assert read(device, 0xF0, 1009) == 0
    assert read(device, 0xF0, 1010) == 1
    assert read(device, 0xF0, 1000 + 10**9) == 100_000_000
    write(device, 0x10, 0, 2000)
    assert read(device, 0xF0, 10**9) == 100
    write(device, 0x10, ENABLE, 3000)
    assert read(device, 0xF0, 3020) == 102


def test_the_counter_is_written_while_it_is_halted_alone_and_in_halves() -> None:
    device = hpet.device()
    write(device, 0xF4, 0x1234, size=4)
    write(device, 0xF0, 0xFFFF_FFFF, size=4)
    assert read(device, 0xF0) == 0x1234_FFFF_FFFF
    write(device, 0x10, ENABLE, 0)
    write(device, 0xF0, 0, 10)
    assert read(device, 0xF0, 10) == 0x1235_0000_0000
    assert read(device, 0xF4, 10, size=4) == 0x1235
    assert read(device, 0xF2, 10, size=4) == 0x1235_0000


def test_a_one_shot_pulses_the_input_it_is_routed_to_once() -> None:
    device = hpet.device()
    write(device, 0x100, 20 << 9 | INTERRUPTS)
    write(device, 0x108, 500)
    assert deadline(device) is None
    write(device, 0x10, ENABLE)
    assert deadline(device) == 5000
    assert advance(device, 4999) == ()
    assert advance(device, 5000) == (
        GsiChanged(20, asserted=True), GsiChanged(20, asserted=False)
    )  # fmt: skip
    assert deadline(device) is None  # 5849 years on, when the counter comes by again
    assert read(device, 0x108, 6000) == 500
    assert read(device, 0x20, 6000) == 0


def test_a_route_that_a_timer_has_not_got_is_not_taken() -> None:
    device = hpet.device()
    write(device, 0x100, 23 << 9)
    write(device, 0x100, 11 << 9 | INTERRUPTS)
    assert read(device, 0x100) & 0xFFFF == 0x8030 | 23 << 9 | INTERRUPTS


def test_a_timer_without_a_route_goes_nowhere() -> None:
    device = hpet.device()
    write(device, 0x100, INTERRUPTS)
    write(device, 0x108, 1)
    write(device, 0x10, ENABLE)
    assert deadline(device) == 10
    assert advance(device, 10) == ()


def test_legacy_replacement_gives_lines_0_and_8_to_timers_0_and_1() -> None:
    device = hpet.device()
    for timer, at in ((0, 100), (1, 200), (2, 300)):
        write(device, 0x100 + 0x20 * timer, INTERRUPTS | 16 << 9)
        write(device, 0x108 + 0x20 * timer, at)
    write(device, 0x10, ENABLE | LEGACY)
    assert advance(device, 1000) == pulse(0)
    assert advance(device, 2000) == pulse(8)
    assert advance(device, 3000) == (
        GsiChanged(16, asserted=True), GsiChanged(16, asserted=False)
    )  # fmt: skip


def test_legacy_replacement_cuts_the_8254_and_the_rtc_off() -> None:
    device = hpet.device()
    assert device.route is not None
    up, down = LineChanged(0, asserted=True), LineChanged(0, asserted=False)
    assert device.route(device.state, up) == (pulse(0)[0],)
    assert device.route(device.state, down) == (pulse(0)[1],)
    device.route(device.state, LineChanged(8, asserted=True))
    assert write(device, 0x10, LEGACY) == (pulse(8)[1],)
    assert device.route(device.state, up) == ()
    assert write(device, 0x10, 0) == (pulse(0)[0], pulse(8)[0])


def test_a_periodic_timer_adds_what_was_written_last() -> None:
    """The procedure of "Periodic Mode"; Linux sets phase and period apart."""
    device = hpet.device()
    write(device, 0x100, INTERRUPTS | PERIODIC | VALUE_SET)
    assert read(device, 0x100) & VALUE_SET
    write(device, 0x108, 0x70)
    assert not read(device, 0x100) & VALUE_SET
    write(device, 0x108, 0x40)
    write(device, 0x10, ENABLE | LEGACY)
    assert deadline(device) == 0x70 * 10
    assert advance(device, 0x70 * 10) == pulse(0)
    assert read(device, 0x108, 0x70 * 10) == 0xB0
    assert deadline(device) == 0xB0 * 10
    # Two are missed: one interrupt for both, and the phase stays.
    assert read(device, 0x108, 0xF0 * 10) == 0x130
    assert advance(device, 0xF5 * 10) == pulse(0)
    assert deadline(device) == 0x130 * 10


def test_the_accumulator_is_set_with_value_set_alone() -> None:
    device = hpet.device()
    write(device, 0x100, INTERRUPTS | PERIODIC | IS_32)
    write(device, 0x108, 1000)
    assert read(device, 0x108) == 0xFFFF_FFFF
    write(device, 0x100, INTERRUPTS | PERIODIC | IS_32 | VALUE_SET)
    write(device, 0x108, 2000)
    assert read(device, 0x108) == 2000


def test_a_timer_that_is_periodic_no_more_keeps_its_comparator() -> None:
    device = hpet.device()
    write(device, 0x100, PERIODIC | VALUE_SET)
    write(device, 0x108, 10)
    write(device, 0x100, 0)
    write(device, 0x10, ENABLE)
    assert read(device, 0x108, 500) == 10


def test_a_read_across_two_registers_gets_the_bytes_of_both() -> None:
    device = hpet.device()
    write(device, 0x100, 23 << 9)
    write(device, 0x108, 0x1122_3344_5566_7788)
    assert read(device, 0x104) == 0x5566_7788_00FF_0104
    assert device.plain is not None
    assert device.plain(device.state, BASE + 0x104, 8, 0) is None


def test_a_32_bit_timer_meets_its_match_each_time_the_low_half_comes_by() -> None:
    device = hpet.device()
    write(device, 0xF0, 0xFFFF_FFF0)
    write(device, 0x100, INTERRUPTS | IS_32 | 16 << 9)
    write(device, 0x108, 0x7_0000_0010)
    assert read(device, 0x108) == 0x10
    write(device, 0x10, ENABLE)
    assert deadline(device) == 0x20 * 10
    advance(device, 0x20 * 10)
    assert read(device, 0xF0, 0x20 * 10) == 0x1_0000_0010
    assert deadline(device) == 0x20 * 10 + 2**32 * 10


def test_a_level_stays_until_its_status_bit_is_written_with_1() -> None:
    device = hpet.device()
    write(device, 0x120, 18 << 9 | INTERRUPTS | LEVEL | PERIODIC | VALUE_SET)
    write(device, 0x128, 10)
    write(device, 0x10, ENABLE)
    up, down = GsiChanged(18, asserted=True), GsiChanged(18, asserted=False)
    assert advance(device, 100) == (up,)
    assert read(device, 0x20, 100) == 2
    assert deadline(device) is None  # it cannot be more active
    assert write(device, 0x20, 1, 150) == ()
    assert write(device, 0x20, 2, 150) == (down,)
    assert deadline(device) == 200
    assert advance(device, 200) == (up,)
    # Halting takes the line away and leaves the status.
    assert write(device, 0x10, 0, 200) == (down,)
    assert read(device, 0x20, 200) == 2
    assert write(device, 0x10, ENABLE, 300) == (up,)


def test_a_timer_that_may_not_interrupt_still_has_its_status() -> None:
    device = hpet.device()
    write(device, 0x100, 16 << 9 | LEVEL)
    write(device, 0x108, 5)
    write(device, 0x10, ENABLE)
    assert advance(device, 50) == ()
    assert read(device, 0x20, 50) == 1
    assert write(device, 0x100, 16 << 9 | LEVEL | INTERRUPTS, 60) == (
        GsiChanged(16, asserted=True),
    )


def test_a_message_goes_out_by_the_fsb_route() -> None:
    device = hpet.device()
    write(device, 0x140, FSB | INTERRUPTS | 16 << 9)
    write(device, 0x150, 0xFEE0_3000_0000_0041)
    write(device, 0x148, 7)
    write(device, 0x10, ENABLE)
    (message,) = advance(device, 70)
    assert message == InterruptMessage(
        "hpet timer 2", 3, logical=False, mode="fixed", vector=0x41, level=False
    )


def test_a_message_to_nowhere_is_an_oddity() -> None:
    device = hpet.device()
    write(device, 0x140, FSB | INTERRUPTS)
    write(device, 0x148, 7)
    write(device, 0x10, ENABLE)
    (oddity,) = advance(device, 70)
    assert isinstance(oddity, Oddity)
    assert "hpet timer 2" in oddity.text


def test_where_an_8259_needs_it_an_edge_stays_up_until_the_next() -> None:
    device = hpet.device(pulses=False)
    write(device, 0x100, INTERRUPTS | PERIODIC | VALUE_SET)
    write(device, 0x108, 10)
    write(device, 0x10, ENABLE | LEGACY)
    up, down = pulse(0)
    assert advance(device, 100) == (up,)
    assert advance(device, 200) == (down, up)
    assert write(device, 0x10, ENABLE, 201) == (down,)


@pytest.mark.parametrize(("offset", "size"), [(0x10, 1), (0x11, 2), (0xF2, 4), (1, 8)])
def test_small_and_unaligned_writes_are_dropped(offset: int, size: int) -> None:
    device = hpet.device()
    before = deepcopy(device.state)
    assert write(device, offset, 0xFF, size=size) == ()
    assert device.state == before


REGISTERS = (
    0x10, 0x20, 0xF0, 0xF4,
    *(0x100 + 0x20 * n + r for n in range(3) for r in (0, 8, 0xC, 0x10, 0x14)),
)  # fmt: skip
CONFIGS = st.integers(0, 0xFFFF).map(
    lambda raw: raw & ~0x3E00 | (0, 2, 8, 16, 17, 23)[raw >> 9 & 0x1F & 3] << 9
)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(REGISTERS),
        st.sampled_from((4, 8)),
        st.one_of(CONFIGS, st.integers(0, 60), st.integers(0, 2**64 - 1)),
        st.integers(0, 400),
    ),
    max_size=30,
)


@given(WRITES)
@settings(max_examples=100, deadline=None)
def test_it_does_what_one_does_that_counts_every_tick(
    writes: list[tuple[int, int, int, int]],
) -> None:
    device, slow = hpet.device(), SlowHpet()
    write(device, 0x10, ENABLE)
    slow.write(0x10, ENABLE, 8)
    now = 0
    for offset, size, value, ticks in writes:
        for _ in range(ticks):
            now += 10
            got: Signals = ()
            due = deadline(device)
            if due is not None and due <= now:
                assert due == now
                got = advance(device, now)
            assert got == slow.tick()
        if offset % size == 0:
            masked = value & ((1 << 8 * size) - 1)
            got = write(device, offset, masked, now, size)
            assert levels(got) == levels(slow.write(offset, masked, size))
        for register in REGISTERS:
            assert read(device, register, now, 4) == slow.read(register), hex(register)


def levels(signals: Signals) -> dict[object, bool]:
    """Where each line is in the end, of those that moved."""
    return {
        (type(each), each.irq if isinstance(each, LineChanged) else each.pin):
            each.asserted
        for each in signals
        if isinstance(each, (LineChanged, GsiChanged))
    }  # fmt: skip


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**12), st.integers(0, 10**11))
def test_a_plain_counter_goes_on_as_it_says(count: int, now: int, on: int) -> None:
    device = hpet.device()
    write(device, 0xF0, count)
    write(device, 0x10, ENABLE, now // 2)
    for offset, size in ((0xF0, 8), (0xF0, 4)):
        assert device.plain is not None
        said = device.plain(device.state, BASE + offset, size, now)
        assert said is not None
        then = now + on if said.until is None else min(now + on, said.until - 1)
        assert said.at(then) == read(device, offset, then, size)


def test_registers_that_stay_are_plain_and_a_periodic_comparator_is_not() -> None:
    device = hpet.device()
    write(device, 0x100, PERIODIC)
    assert device.plain is not None
    for offset, size in ((0, 8), (0, 4), (4, 4), (0x10, 8), (0x20, 4), (0x128, 8)):
        said = device.plain(device.state, BASE + offset, size, 0)
        assert said is not None
        assert said.at(10**9) == read(device, offset, 10**9, size)
    assert device.plain(device.state, BASE + 0x108, 8, 0) is None


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    touches = [
        Touch(BASE + 0x100, 8, INTERRUPTS | LEVEL | PERIODIC | VALUE_SET | 16 << 9),
        Touch(BASE + 0x108, 8, 99_999),
        Touch(BASE + 0x120, 8, INTERRUPTS | PERIODIC | VALUE_SET | IS_32),
        Touch(BASE + 0x128, 8, 333_333),
        Touch(BASE + 0x140, 8, INTERRUPTS | FSB | PERIODIC | VALUE_SET),
        Touch(BASE + 0x150, 8, 0xFEE0_0000_0000_0050),
        Touch(BASE + 0x148, 8, 150_000),
        Touch(BASE + 0x10, 8, ENABLE | LEGACY),
        *(Touch(BASE + 0xF0, 8), Touch(BASE + 0x108, 8), Touch(BASE + 0x20, 8, 7)) * 8,
    ]

    def unwired() -> Device:
        return replace(hpet.device(), role=None)  # which is for ours alone

    check_device(unwired, touches)
    check_device(unwired)
