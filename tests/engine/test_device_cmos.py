"""CMOS: MC146818A cells, PC memory cells, the date of virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lapis_engine.devices import cmos
from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def cell(device: Device, index: int, now: int = 0) -> int:
    device.access.write(device.state, 0x70, 1, index, now)
    return device.access.read(device.state, 0x71, 1, now)


def put(device: Device, index: int, value: int) -> None:
    device.access.write(device.state, 0x70, 1, index, 0)
    assert device.access.write(device.state, 0x71, 1, value, 0) == ()


def date(device: Device, now: int) -> tuple[int, ...]:
    """Century, year, month, day, weekday, hours, minutes, seconds."""
    cells = (0x32, 0x09, 0x08, 0x07, 0x06, 0x04, 0x02, 0x00)
    return tuple(cell(device, index, now) for index in cells)


def test_time_0_is_saturday_the_1st_of_january_2000() -> None:
    device = cmos.device(1 << 25, 1)
    assert date(device, 0) == (0x20, 0x00, 0x01, 0x01, 7, 0, 0, 0)


def test_the_date_follows_virtual_time_in_bcd() -> None:
    device = cmos.device(1 << 25, 1)
    last = 60 * DAY - 1  # 2000 is a leap year: 29 February, 23:59:59
    assert date(device, last) == (0x20, 0, 0x02, 0x29, 3, 0x23, 0x59, 0x59)
    assert date(device, last + 1) == (0x20, 0, 0x03, 0x01, 4, 0, 0, 0)
    assert date(device, 366 * DAY)[:4] == (0x20, 0x01, 0x01, 0x01)


def test_status_b_chooses_binary_and_12_hours() -> None:
    device = cmos.device(1 << 25, 1)
    put(device, 0x0B, 0x06)
    assert cell(device, 0x02, 59 * 60 * SECOND) == 59
    put(device, 0x0B, 0x00)
    hours = [cell(device, 0x04, h * 3600 * SECOND) for h in (0, 1, 11, 12, 13, 23)]
    assert hours == [0x12, 0x01, 0x11, 0x92, 0x81, 0x91]


def test_update_in_progress_is_set_before_the_second_turns() -> None:
    device = cmos.device(1 << 25, 1)
    assert cell(device, 0x0A, 0) == 0x26
    assert cell(device, 0x0A, SECOND - 2_228_001) == 0x26
    assert cell(device, 0x0A, SECOND - 2_228_000) == 0xA6
    assert cell(device, 0x0A, SECOND) == 0x26


def test_status_registers_read_as_a_clock_in_order() -> None:
    device = cmos.device(1 << 25, 1)
    assert [cell(device, i) for i in (0x0B, 0x0C, 0x0D)] == [0x02, 0x00, 0x80]
    put(device, 0x0A, 0xFF)
    put(device, 0x0D, 0x00)
    assert cell(device, 0x0A) == 0x7F
    assert cell(device, 0x0D) == 0x80


def test_memory_below_4_gib_is_told_in_three_places() -> None:
    device = cmos.device(64 << 20, 4)
    assert (cell(device, 0x15), cell(device, 0x16)) == (0x80, 0x02)
    assert (cell(device, 0x17), cell(device, 0x18)) == (0x00, 0xFC)
    assert (cell(device, 0x30), cell(device, 0x31)) == (0x00, 0xFC)
    assert (cell(device, 0x34), cell(device, 0x35)) == (0x00, 0x03)
    assert cell(device, 0x5F) == 3


def test_extended_memory_saturates_and_high_memory_counts_64_kib() -> None:
    device = cmos.device(0xC000_0000, 1, 5 << 30)
    assert (cell(device, 0x30), cell(device, 0x31)) == (0xFF, 0xFF)
    assert (cell(device, 0x34), cell(device, 0x35)) == (0x00, 0xBF)
    assert [cell(device, i) for i in (0x5B, 0x5C, 0x5D)] == [0x00, 0x40, 0x01]


def test_a_machine_below_16_mib_has_nothing_above_it() -> None:
    device = cmos.device(2 << 20, 1)
    assert (cell(device, 0x30), cell(device, 0x31)) == (0x00, 0x04)
    assert (cell(device, 0x34), cell(device, 0x35)) == (0, 0)


def test_boot_order_is_in_nibbles_and_the_checksum_is_a_sum() -> None:
    device = cmos.device(1 << 25, 1, boot_order=(3, 2, 1))
    assert cell(device, 0x3D) == 0x23
    assert cell(device, 0x38) == 0x11
    total = sum(cell(device, i) for i in range(0x10, 0x2E))
    assert cell(device, 0x2E) << 8 | cell(device, 0x2F) == total


def test_the_shutdown_byte_is_memory_and_survives_a_reset() -> None:
    device = cmos.device(1 << 25, 1)
    assert cell(device, 0x0F) == 0
    put(device, 0x0F, 0x0A)
    assert cell(device, 0x0F) == 0x0A
    put(device, 0x40, 0x44)
    put(device, 0x3F, 0x33)
    assert (cell(device, 0x3F), cell(device, 0x40)) == (0x33, 0x44)


def test_the_index_has_seven_bits_and_the_eighth_masks_nmi() -> None:
    device = cmos.device(1 << 25, 1)
    assert cell(device, 0x8D) == 0x80
    assert device.state.nmi_disabled
    assert cell(device, 0x0D) == 0x80
    assert not device.state.nmi_disabled
    assert device.access.read(device.state, 0x70, 1, 0) == 0xFF


def test_a_word_to_port_70_is_index_and_data() -> None:
    device = cmos.device(1 << 25, 1)
    device.access.write(device.state, 0x70, 2, 0x550F, 0)
    assert cell(device, 0x0F) == 0x55


def test_the_clock_cannot_be_set() -> None:
    device = cmos.device(1 << 25, 1)
    put(device, 0x09, 0x99)
    assert cell(device, 0x09) == 0x00


def test_what_cmos_cannot_say_is_refused() -> None:
    with pytest.raises(ConfigError):
        cmos.device(1 << 25, 257)
    with pytest.raises(ConfigError):
        cmos.device(1 << 25, 1, boot_order=(1, 2, 3, 4))
