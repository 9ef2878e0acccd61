"""fw_cfg: items as the QEMU documentation numbers them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.ram import Ram, wired

from lapis_engine.devices import fw_cfg
from lapis_engine.devices.fw_cfg import files
from lapis_engine.errors import ConfigError
from lapis_engine.events import Oddity
from lapis_plugins.testing import Touch, check_device

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device, Signals


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


# The DMA interface.

AT = 0x2000
"""Where the tests have their requests."""
READ, SKIP, SELECT, WRITE = 2, 4, 8, 16


def by_dma() -> tuple[Device, Ram]:
    ram = Ram(bytearray(0x1_0000))
    chosen = (("etc/a", bytes(range(1, 101))), ("opt/b", b"bee"))
    return wired(fw_cfg.device(1 << 20, 1, chosen, dma=True), ram), ram


def swapped(value: int) -> int:
    """A doubleword as a guest writes it that wants it big-endian."""
    return int.from_bytes(value.to_bytes(4, "big"), "little")


def request(
    device: Device, ram: Ram, control: int, length: int = 0, address: int = 0
) -> tuple[int, Signals]:
    """Make a request; return what control reads as then, and the signals."""
    ram.write(AT, struct.pack(">IIQ", control, length, address))
    assert device.access.write(device.state, 0x514, 4, 0, 0) == ()
    signals = device.access.write(device.state, 0x518, 4, swapped(AT), 0)
    return int.from_bytes(ram.data[AT : AT + 4], "big"), signals


def test_the_dma_interface_says_that_it_is_there() -> None:
    device, _ = by_dma()
    assert item(device, 0x01, 4) == b"\3\0\0\0"
    assert device.access.read(device.state, 0x514, 4, 0) == 0x554D4551  # "QEMU"
    assert device.access.read(device.state, 0x518, 4, 0) == 0x47464320  # " CFG"
    assert device.access.read(device.state, 0x51B, 1, 0) == ord("G")


def test_a_request_selects_and_reads_and_the_next_one_goes_on() -> None:
    device, ram = by_dma()
    assert request(device, ram, 0x20 << 16 | SELECT | READ, 10, 0x100) == (0, ())
    assert ram.data[0x100:0x10C] == bytes(range(1, 11)) + bytes(2)
    assert request(device, ram, SKIP, 20) == (0, ())
    assert request(device, ram, READ, 4, 0x100) == (0, ())
    assert ram.data[0x100:0x104] == bytes((31, 32, 33, 34))
    assert take(device, 2) == bytes((35, 36))


def test_a_read_beyond_the_end_and_of_no_item_gives_zeros() -> None:
    device, ram = by_dma()
    ram.data[0x100:0x200] = b"\xaa" * 0x100
    assert request(device, ram, 0x21 << 16 | SELECT | READ, 8, 0x100) == (0, ())
    assert request(device, ram, 0x77 << 16 | SELECT | READ, 8, 0x110) == (0, ())
    assert ram.data[0x100:0x120] == b"bee" + bytes(5) + b"\xaa" * 8 + bytes(8) + (
        b"\xaa" * 8
    )


def test_a_request_without_a_direction_only_selects() -> None:
    device, ram = by_dma()
    assert request(device, ram, 0x21 << 16 | SELECT, 0xFFFF_FFFF, 1 << 60) == (0, ())
    assert take(device, 3) == b"bee"


def test_writing_is_refused_and_reading_goes_before_it() -> None:
    device, ram = by_dma()
    control, (oddity,) = request(device, ram, 0x20 << 16 | SELECT | WRITE, 4, 0x100)
    assert control == 1
    assert isinstance(oddity, Oddity)
    assert request(device, ram, WRITE | READ, 2, 0x100) == (0, ())
    assert ram.data[0x100:0x102] == bytes((1, 2))


@pytest.mark.parametrize(
    ("length", "address"), [(8, 0xFFFC), (8, 1 << 63), (0xFFFF_FFFF, 0), (1 << 27, 0)]
)
def test_what_is_not_all_ram_is_an_error(length: int, address: int) -> None:
    device, ram = by_dma()
    control, (oddity,) = request(
        device, ram, 0x20 << 16 | SELECT | READ, length, address
    )
    assert control == 1
    assert isinstance(oddity, Oddity)
    assert take(device, 1) == b"\1"  # nothing was read


def test_a_request_where_no_memory_is_is_an_oddity() -> None:
    device, _ = by_dma()
    for address in (0xFFF8, 0xFFFF_FFFF):
        (oddity,) = device.access.write(device.state, 0x518, 4, swapped(address), 0)
        assert isinstance(oddity, Oddity)


def test_the_upper_half_counts_once() -> None:
    device, ram = by_dma()
    ram.write(AT, struct.pack(">IIQ", 0x21 << 16 | SELECT, 0, 0))
    device.access.write(device.state, 0x514, 4, swapped(1), 0)
    assert device.access.write(device.state, 0x518, 4, swapped(AT), 0) != ()
    assert device.access.write(device.state, 0x518, 4, swapped(AT), 0) == ()
    assert take(device, 1) == b"b"


def test_small_writes_of_the_address_are_dropped() -> None:
    device, _ = by_dma()
    for port, size in ((0x514, 1), (0x518, 2), (0x51B, 1), (0x516, 4)):
        assert device.access.write(device.state, port, size, 0x20, 0) == ()
    assert device.state.dma_high == 0


def test_files_that_say_what_machine_it_is() -> None:
    name, data = files.e820(0xC000_0000, 0x4000_0000)
    assert name == "etc/e820"
    assert data == (
        bytes(8) + b"\0\0\0\xc0\0\0\0\0" + b"\1\0\0\0"
        + b"\0\0\0\0\1\0\0\0" + b"\0\0\0\x40\0\0\0\0" + b"\1\0\0\0"
    )  # fmt: skip
    assert len(files.e820(1 << 20, 0)[1]) == 20
    assert files.sleep_states() == ("etc/system-states", b"\x80\0\0\1\2\x80")
    assert files.boot_order("/a", "/b")[1] == b"/a\n/b\0"


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 31),
        st.sampled_from((0x20, 0x21, 0x22, 0x4020)),
        st.integers(0, 130),
        st.sampled_from((0, 0x40, 0xFFE0)),
    ),
    max_size=20,
)


@given(REQUESTS)
@settings(max_examples=100, deadline=None)
def test_requests_do_what_a_list_of_bytes_does(
    requests: list[tuple[int, int, int, int]],
) -> None:
    device, ram = by_dma()
    contents = {0x20: list(range(1, 101)), 0x21: list(b"bee")}
    rest: list[int] = []
    wanted = bytearray(ram.data)
    for bits, number, length, address in requests:
        control, _ = request(device, ram, number << 16 | bits, length, address)
        wanted[AT : AT + 16] = ram.data[AT : AT + 16]
        is_bad = False
        if bits & SELECT:
            rest = list(contents.get(number & 0x3FFF, ()))
        if bits & READ:
            is_bad = address + length > 0x1_0000
            for at in range(0 if is_bad else length):
                wanted[address + at] = rest.pop(0) if rest else 0
        elif bits & WRITE:
            is_bad = True
        elif bits & SKIP:
            rest = rest[length:]
        assert control == int(is_bad)
        assert ram.data == wanted


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    touches = [
        Touch(0x510, 2, 0x20),
        Touch(0x511, 1),
        Touch(0x514, 4, 0),
        Touch(0x518, 4, swapped(AT)),
        Touch(0x511, 1),
    ] * 4 + [Touch(0x514, 4, 0x100)]

    def make() -> Device:
        device, ram = by_dma()
        ram.write(AT, struct.pack(">IIQ", SKIP, 1, 0))
        return device

    check_device(make, [*touches, *touches])
    check_device(make)
