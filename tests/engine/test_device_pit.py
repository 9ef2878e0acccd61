"""The 8254 in ticks of 1 193 182 Hz, worked out by hand from the datasheet."""

from __future__ import annotations

import pytest

from lapis_engine.devices import pit
from lapis_engine.devices.device import Device, LineChanged, Signals

PULSE = (LineChanged(0, asserted=True), LineChanged(0, asserted=False))


def ns(tick: int) -> int:
    """First ns of a tick."""
    return -(-tick * 10**9 // 1_193_182)


def read(device: Device, port: int, tick: int) -> int:
    return device.access.read(device.state, port, 1, ns(tick))


def write(device: Device, port: int, value: int, tick: int = 0) -> None:
    assert device.access.write(device.state, port, 1, value, ns(tick)) == ()


def program(device: Device, channel: int, mode: int, count: int, tick: int = 0) -> None:
    write(device, 0x43, channel << 6 | 0x30 | mode << 1, tick)
    write(device, 0x40 + channel, count & 0xFF, tick)
    write(device, 0x40 + channel, count >> 8 & 0xFF, tick)


def word(device: Device, channel: int, tick: int) -> int:
    low = read(device, 0x40 + channel, tick)
    return low | read(device, 0x40 + channel, tick) << 8


def deadline(device: Device) -> int | None:
    assert device.timer is not None
    return device.timer.deadline(device.state)


def advance(device: Device, now: int) -> Signals:
    assert device.timer is not None
    return device.timer.advance(device.state, now)


def out_2(device: Device, tick: int) -> int:
    return read(device, 0x61, tick) >> 5 & 1


def test_nothing_happens_before_it_is_programmed() -> None:
    device = pit.device()
    assert deadline(device) is None
    assert advance(device, 10**12) == ()


def test_mode_2_pulses_irq_0_every_count_from_the_tick_after_loading() -> None:
    device = pit.device()
    program(device, 0, 2, 11932)
    assert deadline(device) == 10_000_989  # tick 11933
    assert advance(device, 10_000_988) == ()
    assert advance(device, 10_000_989) == PULSE
    assert advance(device, 10_000_989) == ()
    assert deadline(device) == 20_001_140  # tick 23865


def test_a_count_of_0_is_65536_the_18_2_hz_tick() -> None:
    device = pit.device()
    program(device, 0, 3, 0)
    assert deadline(device) == 54_926_240  # tick 65537
    assert advance(device, 54_926_240) == PULSE
    assert deadline(device) == 109_851_641  # tick 131073


def test_missed_edges_do_not_stack_and_the_phase_is_kept() -> None:
    device = pit.device()
    program(device, 0, 2, 1000)
    assert advance(device, ns(1 + 5 * 1000 + 999)) == PULSE
    assert deadline(device) == ns(1 + 6 * 1000)


def test_mode_0_on_channel_0_pulses_once() -> None:
    device = pit.device()
    program(device, 0, 0, 100)
    assert deadline(device) == ns(101)
    assert advance(device, ns(101)) == PULSE
    assert deadline(device) is None


UP, DOWN = LineChanged(0, asserted=True), LineChanged(0, asserted=False)


def written(device: Device, port: int, value: int, tick: int) -> Signals:
    return device.access.write(device.state, port, 1, value, ns(tick))


def test_irq_0_stays_up_until_it_rises_anew() -> None:
    """8254 "Mode 2": OUT is high but for the last tick of each period."""
    device = pit.device(pulses=False)
    program(device, 0, 2, 1000)
    assert advance(device, ns(1001)) == (UP,)
    assert advance(device, ns(2001)) == (DOWN, UP)


def test_out_goes_low_with_the_control_word_and_the_count_of_mode_0() -> None:
    """8254 "Mode 0": OUT is low from the control word until the count is over."""
    device = pit.device(pulses=False)
    program(device, 0, 0, 100)
    assert advance(device, ns(101)) == (UP,)
    assert written(device, 0x40, 100, 200) == (DOWN,)  # the low byte stops the counter
    assert written(device, 0x40, 0, 200) == ()
    assert advance(device, ns(301)) == (UP,)
    assert written(device, 0x43, 0x30, 400) == (DOWN,)


def test_mode_4_pulses_when_its_strobe_ends() -> None:
    device = pit.device()
    program(device, 0, 4, 100)
    assert deadline(device) == ns(102)


def test_a_control_word_stops_the_channel() -> None:
    device = pit.device()
    program(device, 0, 2, 1000)
    write(device, 0x43, 0x34, 10)
    assert deadline(device) is None


@pytest.mark.parametrize("mode", [2, 3, 6, 7])
def test_a_count_of_1_is_illegal_in_periodic_modes_and_never_rises(mode: int) -> None:
    device = pit.device()
    program(device, 0, mode, 1)
    assert deadline(device) is None


def test_mode_2_counts_from_n_down_to_1() -> None:
    device = pit.device()
    program(device, 0, 2, 5)
    assert [word(device, 0, t) for t in range(1, 8)] == [5, 4, 3, 2, 1, 5, 4]


def test_mode_3_counts_by_two_even_and_odd() -> None:
    device = pit.device()
    program(device, 0, 3, 6)
    assert [word(device, 0, t) for t in range(1, 8)] == [6, 4, 2, 6, 4, 2, 6]
    device = pit.device()
    program(device, 0, 3, 5)
    assert [word(device, 0, t) for t in range(1, 7)] == [4, 2, 0, 4, 2, 4]


def test_mode_0_goes_on_counting_below_zero() -> None:
    device = pit.device()
    program(device, 0, 0, 2)
    assert [word(device, 0, t) for t in range(1, 5)] == [2, 1, 0, 0xFFFF]


def test_mode_3_output_is_high_for_the_longer_half() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 3, 5)
    assert [out_2(device, t) for t in range(1, 7)] == [1, 1, 1, 0, 0, 1]


def test_mode_3_output_of_an_even_count_has_equal_halves() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 3, 4)
    assert [out_2(device, t) for t in range(1, 6)] == [1, 1, 0, 0, 1]


def test_mode_2_output_is_low_for_the_last_tick() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 2, 3)
    assert [out_2(device, t) for t in range(1, 6)] == [1, 1, 0, 1, 1]


def test_seabios_calibration_sees_channel_2_rise_after_0x800_ticks() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 0, 0x800)
    assert out_2(device, 2048) == 0
    assert out_2(device, 2049) == 1


def test_the_gate_holds_mode_0_and_lets_it_go_on() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 0, 100)
    write(device, 0x61, 0x00, 41)
    assert word(device, 2, 500) == 60
    write(device, 0x61, 0x01, 1000)
    assert word(device, 2, 1010) == 50
    assert out_2(device, 1059) == 0
    assert out_2(device, 1060) == 1


def test_a_count_written_with_the_gate_low_waits_for_it() -> None:
    device = pit.device()
    program(device, 2, 0, 10)
    assert word(device, 2, 50) == 10
    write(device, 0x61, 0x01, 100)
    assert out_2(device, 109) == 0
    assert out_2(device, 110) == 1


def test_the_gate_restarts_mode_2_and_forces_its_output_high() -> None:
    device = pit.device()
    write(device, 0x61, 0x01)
    program(device, 2, 2, 10)
    write(device, 0x61, 0x00, 10)
    assert out_2(device, 10) == 1
    write(device, 0x61, 0x01, 20)
    assert word(device, 2, 21) == 10


def test_the_gate_triggers_mode_1() -> None:
    device = pit.device()
    program(device, 2, 1, 5)
    assert out_2(device, 3) == 1
    write(device, 0x61, 0x01, 10)
    assert [out_2(device, t) for t in (10, 11, 15, 16)] == [1, 0, 0, 1]
    write(device, 0x61, 0x00, 20)  # a falling gate triggers nothing
    assert out_2(device, 21) == 1


def test_mode_1_without_a_count_is_not_triggered() -> None:
    device = pit.device()
    write(device, 0x43, 0xB2)
    write(device, 0x61, 0x01)
    assert out_2(device, 1) == 1


def test_a_latched_count_stays_until_both_bytes_are_read() -> None:
    device = pit.device()
    program(device, 0, 0, 0x1234)
    write(device, 0x43, 0x00, 0x35)
    write(device, 0x43, 0x00, 0x40)  # a second latch changes nothing
    assert word(device, 0, 0x100) == 0x1200
    assert word(device, 0, 0x101) == 0x1134


def test_single_byte_access_reads_and_writes_one_byte() -> None:
    device = pit.device()
    write(device, 0x43, 0x10)  # channel 0, low byte, mode 0
    write(device, 0x40, 0x80)
    assert read(device, 0x40, 1) == 0x80
    assert read(device, 0x40, 2) == 0x7F
    write(device, 0x43, 0x20)  # high byte
    write(device, 0x40, 0x02, 10)
    assert read(device, 0x40, 11) == 0x02
    assert read(device, 0x40, 12) == 0x01


def test_read_back_latches_status_then_count() -> None:
    device = pit.device()
    program(device, 0, 2, 0x1234)
    write(device, 0x43, 0xC2, 0x35)
    assert read(device, 0x40, 0x100) == 0xB4  # OUT, both bytes, mode 2
    assert word(device, 0, 0x100) == 0x1200
    write(device, 0x43, 0x36, 0x200)
    write(device, 0x43, 0xE2, 0x200)
    assert read(device, 0x40, 0x200) == 0xF6  # OUT, null count, both, mode 3
    program(device, 0, 2, 0x1234, 0x300)
    write(device, 0x43, 0xE2, 0x300)
    assert read(device, 0x40, 0x300) == 0xF4  # written, not loaded yet
    write(device, 0x43, 0xE2, 0x301)
    assert read(device, 0x40, 0x301) == 0xB4


def test_read_back_of_the_count_alone_leaves_the_other_channels() -> None:
    device = pit.device()
    program(device, 0, 0, 100)
    program(device, 1, 0, 100)
    write(device, 0x43, 0xD4, 11)  # count of channel 1
    assert word(device, 0, 21) == 80
    assert word(device, 1, 21) == 90


def test_the_first_byte_of_a_count_stops_mode_0() -> None:
    device = pit.device()
    program(device, 0, 0, 100)
    write(device, 0x40, 0x10, 50)
    assert deadline(device) is None
    write(device, 0x40, 0x00, 60)
    assert deadline(device) == ns(77)


def test_port_61_keeps_four_bits_and_toggles_refresh() -> None:
    device = pit.device()
    write(device, 0x43, 0xB0)
    write(device, 0x61, 0xFE)
    assert read(device, 0x61, 0) == 0x0E
    assert read(device, 0x61, 17) == 0x0E
    assert read(device, 0x61, 18) == 0x1E
    assert read(device, 0x61, 36) == 0x0E
    write(device, 0x43, 0xB4)  # mode 2: OUT of channel 2 is high
    assert read(device, 0x61, 36) == 0x2E


def test_the_control_port_cannot_be_read() -> None:
    assert read(pit.device(), 0x43, 0) == 0xFF
