"""Power management against Intel 82371AB and ACPI 6.4; a tick is 1/3.579545 us."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices import piix4_pm
from lapis_engine.devices.device import (
    Device,
    LineChanged,
    PoweredOff,
    Range,
    Signals,
)
from lapis_engine.devices.piix4_pm.events import press_power_button
from lapis_engine.events import Oddity
from lapis_plugins.testing import Touch, check_device

BASE = 0x600
TOGGLE = 2_343_484_438
"""ns after which bit 23 changes: 2**23 ticks, rounded up."""
TIMER, BUTTON, ALARM, WAKE = 0x001, 0x100, 0x400, 0x8000
UP = (LineChanged(9, asserted=True),)
DOWN = (LineChanged(9, asserted=False),)


def read(device: Device, port: int, now: int = 0, size: int = 2) -> int:
    return device.access.read(device.state, port, size, now)


def write(
    device: Device, port: int, value: int, now: int = 0, size: int = 2
) -> Signals:
    return device.access.write(device.state, port, size, value, now)


def config(device: Device, register: int, size: int = 4) -> int:
    assert device.function is not None
    return device.function.config.read(device.state, register, size, 0)


def set_config(device: Device, register: int, value: int, size: int = 4) -> None:
    assert device.function is not None
    got = device.function.config.write(device.state, register, size, value, 0)
    assert got == ()


def ports(device: Device) -> tuple[Range, ...]:
    assert device.moves is not None
    assert device.moves.mmio(device.state) == ()
    return device.moves.ports(device.state)


def deadline(device: Device) -> int | None:
    assert device.timer is not None
    return device.timer.deadline(device.state)


def advance(device: Device, now: int) -> Signals:
    assert device.timer is not None
    return device.timer.advance(device.state, now)


def test_it_is_a_piix4_at_1_3() -> None:
    device = piix4_pm.device()
    assert device.function is not None
    assert (device.function.slot, device.function.number) == (1, 3)
    assert config(device, 0x00) == 0x7113_8086
    assert config(device, 0x04) == 0x0280_0000
    assert config(device, 0x08) == 0x0680_0003
    assert config(device, 0x2C) == 0x1100_1AF4
    assert config(device, 0x3C) == 0x0000_0100
    assert config(device, 0x40) == 0x0000_0001
    assert config(device, 0x58) == 0x0200_0000  # APMC_EN
    assert config(device, 0x5B, 1) == 0x02
    assert config(device, 0x80) == 0
    assert config(device, 0x90) == 0x0000_0001


def test_the_block_is_where_pmba_says_while_it_is_enabled() -> None:
    device = piix4_pm.device()
    assert ports(device) == ()
    set_config(device, 0x40, 0xFFFF_FFFF)
    assert config(device, 0x40) == 0x0000_FFC1
    set_config(device, 0x40, 0xB000)
    assert ports(device) == ()
    set_config(device, 0x80, 0xFF, 1)
    assert config(device, 0x80, 1) == 0x01
    assert ports(device) == (Range(0xB000, 64),)
    set_config(device, 0x40, 0)
    assert ports(device) == ()
    set_config(device, 0x40, 0x0600, 2)
    assert ports(device) == (Range(0x600, 64),)
    set_config(device, 0x80, 0, 1)
    assert ports(device) == ()


def test_without_firmware_it_is_set_up() -> None:
    device = piix4_pm.device(0x600)
    assert ports(device) == (Range(0x600, 64),)
    assert config(device, 0x40) == 0x0601
    assert config(device, 0x3C, 1) == 9
    assert read(device, 0x604) == 0x0001  # SCI_EN


@pytest.mark.parametrize("base", [0, 0x620, 0x1_0000, -64])
def test_the_block_begins_at_a_multiple_of_64(base: int) -> None:
    with pytest.raises(ValueError, match="64 ports"):
        piix4_pm.device(base)


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (0, 0),
        (279, 0),
        (280, 1),
        (10**9, 3_579_545),
        (TOGGLE - 1, 0x7F_FFFF),
        (TOGGLE, 0x80_0000),
        (4_686_968_874, 0xFF_FFFF),
        (4_686_968_875, 0),
        (3600 * 10**9, (3600 * 3_579_545) % 2**24),
    ],
)
def test_the_timer_is_virtual_time_in_24_bits(now: int, count: int) -> None:
    device = piix4_pm.device(BASE)
    assert read(device, 0x608, now, 4) == count
    assert read(device, 0x60A, now, 1) == count >> 16
    assert device.plain is not None
    answer = device.plain(device.state, 0x608, 4, now)
    assert answer is not None
    assert answer.at(now) == count
    assert device.plain(device.state, 0x608, 2, now) is None
    assert device.plain(device.state, 0x606, 4, now) is None
    assert write(device, 0x608, 0, now, 4) == ()
    assert read(device, 0x608, now, 4) == count


def test_the_status_stands_until_the_timer_changes_it() -> None:
    device = piix4_pm.device(BASE)
    assert device.plain is not None
    answer = device.plain(device.state, 0x600, 2, 5)
    assert answer is not None
    assert (answer.base, answer.numerator, answer.until) == (0, 0, TOGGLE)
    answer = device.plain(device.state, 0x600, 2, TOGGLE)
    assert answer is not None
    assert answer.base == 1


def test_the_overflow_is_noted_without_anybody_being_told() -> None:
    device = piix4_pm.device(BASE)
    assert deadline(device) is None
    assert read(device, 0x600, TOGGLE - 1) == 0
    assert read(device, 0x600, TOGGLE) == TIMER
    assert write(device, 0x600, TIMER, TOGGLE) == ()
    assert read(device, 0x600, TOGGLE) == 0
    assert read(device, 0x600, 2 * TOGGLE - 2) == 0
    assert read(device, 0x600, 2 * TOGGLE) == TIMER


def test_an_enabled_overflow_is_an_sci_until_it_is_cleared() -> None:
    device = piix4_pm.device(BASE)
    assert write(device, 0x602, TIMER, 1000) == ()
    assert deadline(device) == TOGGLE
    assert advance(device, TOGGLE) == UP
    assert deadline(device) is None
    assert write(device, 0x600, BUTTON, TOGGLE + 5) == ()
    assert write(device, 0x600, TIMER, TOGGLE + 5) == DOWN
    assert deadline(device) == 4_686_968_875
    assert write(device, 0x602, 0, TOGGLE + 9) == ()
    assert deadline(device) is None
    assert write(device, 0x602, TIMER, 5 * TOGGLE) == UP  # it has come meanwhile


def test_the_power_button_is_an_sci_in_acpi_mode_when_enabled() -> None:
    device = piix4_pm.device(BASE)
    assert press_power_button(device.state) == ()
    assert read(device, 0x600) == BUTTON
    assert write(device, 0x602, BUTTON) == UP
    assert press_power_button(device.state) == ()
    assert write(device, 0x604, 0) == DOWN
    assert write(device, 0xB2, 0xF1, size=1) == UP
    assert write(device, 0x600, BUTTON) == DOWN
    assert press_power_button(device.state) == UP


def test_acpi_mode_is_asked_for_at_port_b2() -> None:
    device = piix4_pm.device()
    set_config(device, 0x40, 0xB000)
    set_config(device, 0x80, 1, 1)
    assert read(device, 0xB004) == 0
    write(device, 0xB2, 0xF1, size=1)
    assert read(device, 0xB004) == 1
    assert read(device, 0xB2, size=1) == 0xF1
    write(device, 0xB3, 0x5A, size=1)
    assert read(device, 0xB2) == 0x5AF1
    write(device, 0xB2, 0x12, size=1)
    assert read(device, 0xB004) == 1
    write(device, 0xB2, 0xF0, size=1)
    assert read(device, 0xB004) == 0


def test_what_can_be_written_of_the_block() -> None:
    device = piix4_pm.device(BASE)
    write(device, 0x602, 0xFFFF)
    assert read(device, 0x602) == 0x0521
    write(device, 0x604, 0xDFFF)  # all but the order to sleep
    assert read(device, 0x604) == 0x1C03
    write(device, 0x60E, 0xFFFF)
    assert read(device, 0x60C, size=4) == 0x0F01_0000
    for port in range(0x610, 0x640, 4):
        assert write(device, port, 0xFFFF_FFFF, size=4) == ()
        assert read(device, port, size=4) == 0
    write(device, 0x603, 0, size=1)
    assert read(device, 0x602) == 0x0021


def test_general_purpose_events_can_be_enabled_and_never_come() -> None:
    device = piix4_pm.device()
    assert write(device, 0xAFE0, 0x5A5A_FFFF, size=4) == ()
    assert read(device, 0xAFE0, size=4) == 0x5A5A_0000
    assert read(device, 0xAFE3, size=1) == 0x5A


@pytest.mark.parametrize(("kind", "why"), [(0, "S5"), (2, "S4")])
def test_sleep_types_that_power_off(kind: int, why: str) -> None:
    device = piix4_pm.device(BASE)
    (signal,) = write(device, 0x604, 0x2001 | kind << 10)
    assert isinstance(signal, PoweredOff)
    assert signal.code == 0
    assert why in signal.why
    assert read(device, 0x604) == 0x0001 | kind << 10  # SLP_EN reads as 0


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 7])
def test_from_other_sleeps_it_wakes_at_once(kind: int) -> None:
    device = piix4_pm.device(BASE)
    (signal,) = write(device, 0x604, 0x2001 | kind << 10)
    assert isinstance(signal, Oddity)
    assert read(device, 0x600) == WAKE
    assert write(device, 0x600, WAKE) == ()
    assert read(device, 0x600) == 0


def test_the_high_byte_alone_powers_off_and_the_type_alone_does_not() -> None:
    device = piix4_pm.device(BASE)
    assert write(device, 0x605, 0x14, size=1) == ()
    assert write(device, 0x605, 0x34, size=1) == ()  # to the state that it works in
    (signal,) = write(device, 0x605, 0x20, size=1)
    assert isinstance(signal, PoweredOff)


class SlowPm:
    """Registers as sets of bits; each change of bit 23 is walked over."""

    def __init__(self) -> None:
        self.now = 0
        self.toggles = 0
        self.status: set[int] = set()
        self.enabled: set[int] = set()
        self.acpi = True

    def pass_to(self, now: int) -> None:
        self.now = now
        while Fraction((self.toggles + 1) * 2**23 * 10**9, 3_579_545) <= now:
            self.toggles += 1
            self.status.add(0)

    @property
    def sci(self) -> bool:
        return self.acpi and any(bit in self.enabled for bit in self.status)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("wait", "clear", "enable", "acpi", "button", "control", "read")
        ),
        st.integers(0, 0xFFFF),
    ),
    max_size=40,
)


def touch(device: Device, slow: SlowPm, what: str, value: int) -> Signals:
    """Do something to both but let time pass; return what the device signals."""
    now, bits = slow.now, {bit for bit in range(16) if value >> bit & 1}
    match what:
        case "clear":
            slow.status -= bits
            return write(device, 0x600, value, now)
        case "enable":
            slow.enabled = bits & {0, 5, 8, 10}
            return write(device, 0x602, value, now)
        case "acpi":
            slow.acpi = 0 in bits
            return write(device, 0xB2, 0xF0 | value & 1, now, 1)
        case "control":
            slow.acpi = 0 in bits
            return write(device, 0x604, value & ~0x2000, now)
        case "button":
            slow.status.add(8)
            return press_power_button(device.state)
        case _:
            assert read(device, 0x600, now) == sum(1 << bit for bit in slow.status)
            return ()


@given(STEPS)
@settings(deadline=None)
def test_status_and_sci_are_those_of_a_walk_over_time(
    steps: list[tuple[str, int]],
) -> None:
    device, slow, level = piix4_pm.device(BASE), SlowPm(), False
    for what, value in steps:
        if what == "wait":
            now, due = slow.now + value * 100_000, deadline(device)
            is_due = due is not None and due <= now
            if due is not None and is_due:
                slow.pass_to(due - 1)
                assert slow.sci == level  # it is not late
            signals = advance(device, now) if is_due else ()
            slow.pass_to(now)
        else:
            signals = touch(device, slow, what, value)
        for each in signals:
            assert each == LineChanged(9, asserted=not level)
            level = not level
        assert level == slow.sci


def test_it_can_be_saved_and_put_back() -> None:
    check_device(piix4_pm.device)
    touches = [Touch(0x602, 2, 0xFFFF), Touch(0xB2, 1, 0xF1), Touch(0x608, 4)] * 20
    touches += [Touch(0x600, 2), Touch(0x600, 2, 0xFFFF), Touch(0x604, 2, 0x1000)] * 20
    check_device(lambda: piix4_pm.device(BASE), touches)
    device = piix4_pm.device(BASE)
    write(device, 0x602, TIMER, 1000)
    other = piix4_pm.device()
    other.state = replace(device.state)
    assert advance(device, TOGGLE) == advance(other, TOGGLE) == UP
    assert ports(other) == (Range(BASE, 64),)
