"""The test device against QEMU's `hw/misc/pc-testdev.c`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices import pc_testdev
from lapis_engine.devices.device import Device, GsiChanged, LineChanged, Signals
from lapis_plugins.testing import Touch, check_device

MEMORY = 0xFF00_0000


def read(device: Device, address: int, size: int = 1) -> int:
    return device.access.read(device.state, address, size, 0)


def write(device: Device, address: int, value: int, size: int = 1) -> Signals:
    return device.access.write(device.state, address, size, value, 0)


@pytest.mark.parametrize("base", [0xE0, 0xE4, 0xE8])
def test_ports_read_back_what_was_written(base: int) -> None:
    device = pc_testdev.device()
    assert write(device, base, 0x1234_5678, 4) == ()
    assert read(device, base, 4) == 0x1234_5678
    assert [read(device, base + n) for n in range(4)] == [0x78, 0x56, 0x34, 0x12]
    write(device, base + 1, 0xAB)
    write(device, base + 2, 0xCDEF, 2)
    assert read(device, base, 4) == 0xCDEF_AB78


def test_the_ports_at_e8_are_those_at_e0_and_flush_is_another() -> None:
    device = pc_testdev.device()
    write(device, 0xE0, 0x1122_3344, 4)
    write(device, 0xE4, 0x5000, 4)
    assert read(device, 0xE8, 4) == 0x1122_3344
    assert read(device, 0xE4, 4) == 0x5000


def test_a_port_moves_its_line_when_that_is_a_change() -> None:
    device = pc_testdev.device()
    assert write(device, 0x200E, 1) == (LineChanged(14, asserted=True),)
    assert write(device, 0x200E, 0x80) == ()
    assert write(device, 0x2017, 1) == (GsiChanged(23, asserted=True),)
    assert write(device, 0x200E, 0) == (LineChanged(14, asserted=False),)
    assert write(device, 0x200E, 0) == ()
    assert write(device, 0x200F, 0x0100, 2) == (LineChanged(15, asserted=True),)
    assert read(device, 0x200F) == 0


def test_memory_keeps_64_kib() -> None:
    device = pc_testdev.device()
    assert read(device, MEMORY + 0xFFF8, 8) == 0
    write(device, MEMORY + 0x3C, 0x8877_6655_4433_2211, 8)
    assert read(device, MEMORY + 0x3C, 8) == 0x8877_6655_4433_2211
    assert read(device, MEMORY + 0x40, 4) == 0x8877_6655
    write(device, MEMORY + 0xFFFE, 0x4433_2211, 4)  # the rest is outside
    assert read(device, MEMORY + 0xFFFC, 8) == 0xFFFF_FFFF_2211_0000
    assert len(device.state.memory) == 3


def test_its_memory_can_be_left_out() -> None:
    assert pc_testdev.device(has_memory=False).mmio == ()


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 0xFFFF), st.sampled_from((1, 2, 4, 8)),
            st.integers(0, 2**64 - 1),
        ),
        max_size=50,
    )
)  # fmt: skip
@settings(deadline=None)
def test_memory_is_an_array(accesses: list[tuple[bool, int, int, int]]) -> None:
    device, array = pc_testdev.device(), bytearray(0x1_0000) + b"\xff" * 8
    for is_write, offset, size, value in accesses:
        if is_write:
            write(device, MEMORY + offset, value & (1 << 8 * size) - 1, size)
            for i in range(min(size, 0x1_0000 - offset)):
                array[offset + i] = value >> 8 * i & 0xFF
        want = int.from_bytes(array[offset : offset + size], "little")
        assert read(device, MEMORY + offset, size) == want


def test_it_can_be_saved_and_put_back() -> None:
    check_device(pc_testdev.device)
    check_device(
        pc_testdev.device,
        [Touch(MEMORY + n % 96, 4, n) for n in range(200)] + [Touch(MEMORY + 60, 8)],
    )
