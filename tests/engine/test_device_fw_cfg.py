"""fw_cfg: items as the QEMU documentation numbers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lapis_engine.devices import fw_cfg
from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device


def select(device: Device, item: int) -> None:
    assert device.access.write(device.state, 0x510, 2, item, 0) == ()


def take(device: Device, size: int) -> bytes:
    return bytes(device.access.read(device.state, 0x511, 1, 0) for _ in range(size))


def item(device: Device, number: int, size: int) -> bytes:
    select(device, number)
    return take(device, size)


def test_the_items_that_seabios_reads() -> None:
    device = fw_cfg.device(0x0200_0000, 2, no_graphics=True)
    assert item(device, 0x00, 5) == b"QEMU\0"
    assert item(device, 0x01, 4) == b"\1\0\0\0"
    assert item(device, 0x03, 8) == b"\0\0\0\2\0\0\0\0"
    assert item(device, 0x04, 2) == b"\1\0"
    assert item(device, 0x05, 2) == b"\2\0"
    assert item(device, 0x0E, 2) == b"\0\0"
    assert item(device, 0x0F, 2) == b"\2\0"
    assert item(device, 0x8002, 4) == b"\1\0\0\0"


def test_unknown_items_and_bytes_beyond_the_end_are_zero() -> None:
    device = fw_cfg.device(1 << 20, 1)
    assert item(device, 0x1234, 4) == bytes(4)
    assert item(device, 0x05, 4) == b"\1\0\0\0"


def test_selecting_starts_from_the_first_byte_and_ignores_the_write_bit() -> None:
    device = fw_cfg.device(1 << 20, 1)
    assert item(device, 0x00, 2) == b"QE"
    assert take(device, 2) == b"MU"
    assert item(device, 0x4000, 4) == b"QEMU"


def test_the_directory_is_big_endian_and_names_the_files() -> None:
    files = (("etc/e820", b"abcde"), ("bootorder", b"x"))
    device = fw_cfg.device(1 << 20, 1, files)
    directory = item(device, 0x19, 4 + 2 * 64)
    assert directory[:4] == b"\0\0\0\2"
    assert directory[4:12] == b"\0\0\0\5\0\x20\0\0"
    assert directory[12:68] == b"etc/e820" + bytes(48)
    assert directory[68:76] == b"\0\0\0\1\0\x21\0\0"
    assert item(device, 0x20, 6) == b"abcde\0"
    assert item(device, 0x21, 2) == b"x\0"


def test_wide_reads_take_consecutive_bytes() -> None:
    device = fw_cfg.device(1 << 20, 1)
    select(device, 0)
    assert device.access.read(device.state, 0x511, 2, 0) == 0x4551
    assert device.access.read(device.state, 0x511, 4, 0) == 0x554D


def test_the_selector_cannot_be_read_nor_the_data_written() -> None:
    device = fw_cfg.device(1 << 20, 1)
    select(device, 0)
    assert device.access.read(device.state, 0x510, 2, 0) == 0xFFFF
    assert device.access.write(device.state, 0x511, 1, 0x55, 0) == ()
    assert device.access.write(device.state, 0x510, 1, 0x05, 0) == ()
    assert take(device, 4) == b"QEMU"


@pytest.mark.parametrize("name", ["", "n" * 56, "caf\u00e9", "a\0b"])
def test_unusable_file_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        fw_cfg.device(1 << 20, 1, ((name, b""),))


def test_a_name_of_55_characters_is_taken_and_two_of_a_name_are_not() -> None:
    assert fw_cfg.device(1 << 20, 1, (("n" * 55, b""),)).state.items
    with pytest.raises(ConfigError, match="same name"):
        fw_cfg.device(1 << 20, 1, (("a", b""), ("a", b"")))
