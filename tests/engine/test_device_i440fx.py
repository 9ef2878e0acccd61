"""The host bridge against Intel 82441FX, "Register Description"."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices import i440fx
from lapis_engine.devices.device import Device, ShadowChanged, Signals
from lapis_plugins.testing import check_device


def read(device: Device, register: int, size: int = 4) -> int:
    assert device.function is not None
    return device.function.config.read(device.state, register, size, 0)


def write(device: Device, register: int, value: int, size: int = 4) -> Signals:
    assert device.function is not None
    return device.function.config.write(device.state, register, size, value, 0)


def seen(device: Device) -> dict[int, tuple[int, bool, bool]]:
    assert device.shadow is not None
    pieces = device.shadow(device.state)
    return {p.first: (p.size, p.reads_ram, p.writes_ram) for p in pieces}


def test_it_is_an_82441fx_at_0_0() -> None:
    device = i440fx.device()
    assert device.function is not None
    assert (device.function.slot, device.function.number) == (0, 0)
    assert read(device, 0x00) == 0x1237_8086
    assert read(device, 0x04) == 0x0280_0006
    assert read(device, 0x08) == 0x0600_0002
    assert read(device, 0x0C) == 0
    assert read(device, 0x2C) == 0x1100_1AF4  # by which SeaBIOS knows where it is
    assert read(device, 0x3C) == 0
    assert read(device, 0x58) == read(device, 0x5C) == 0
    assert read(device, 0x72, 1) == 0x02


def test_masks() -> None:
    device = i440fx.device()
    for at in range(0, 256, 4):
        write(device, at, 0xFFFF_FFFF)
    assert read(device, 0x00) == 0x1237_8086
    assert read(device, 0x04) == 0x0280_0146
    assert read(device, 0x0C) == 0x0000_F800
    assert read(device, 0x10) == 0
    assert read(device, 0x58) == 0x3333_30FF
    assert read(device, 0x5C) == 0x3333_3333
    assert read(device, 0xC0) == 0


def test_at_reset_all_is_rom_in_13_pieces() -> None:
    device = i440fx.device()
    pieces = {0xC_0000 + n * 0x4000: (0x4000, False, False) for n in range(12)}
    assert seen(device) == pieces | {0xF_0000: (0x1_0000, False, False)}


def test_without_firmware_all_is_ram() -> None:
    device = i440fx.device(set_up=True)
    assert {each[1:] for each in seen(device).values()} == {(True, True)}
    assert read(device, 0x58) == 0x3333_3000


@pytest.mark.parametrize(
    ("register", "value", "piece", "how"),
    [
        (0x59, 0x10, 0xF_0000, (True, False)),
        (0x59, 0x20, 0xF_0000, (False, True)),
        (0x59, 0x30, 0xF_0000, (True, True)),
        (0x5A, 0x01, 0xC_0000, (True, False)),
        (0x5A, 0x02, 0xC_0000, (False, True)),
        (0x5A, 0x30, 0xC_4000, (True, True)),
        (0x5B, 0x01, 0xC_8000, (True, False)),
        (0x5C, 0x10, 0xD_4000, (True, False)),
        (0x5D, 0x03, 0xD_8000, (True, True)),
        (0x5E, 0x20, 0xE_4000, (False, True)),
        (0x5F, 0x10, 0xE_C000, (True, False)),
        (0x5F, 0x02, 0xE_8000, (False, True)),
    ],
)
def test_each_half_of_a_pam_is_one_piece(
    register: int, value: int, piece: int, how: tuple[bool, bool]
) -> None:
    device = i440fx.device()
    before = seen(device)
    assert write(device, register, value, 1) == (ShadowChanged(),)
    after = seen(device)
    assert after.pop(piece)[1:] == how
    del before[piece]
    assert after == before


def test_nobody_is_told_of_what_does_not_change() -> None:
    device = i440fx.device()
    assert write(device, 0x5A, 0xCC, 1) == ()
    assert write(device, 0x59, 0x0F, 1) == ()
    assert write(device, 0x58, 0x3333_3300) == (ShadowChanged(),)
    assert write(device, 0x58, 0x3333_3311) == ()
    assert write(device, 0x60, 0x0101_0101) == ()


def test_smram_is_locked_for_good() -> None:
    device = i440fx.device()
    write(device, 0x72, 0x4F, 1)
    assert read(device, 0x72, 1) == 0x4A
    write(device, 0x72, 0x5A, 1)
    assert read(device, 0x72, 1) == 0x1A  # locking closes
    write(device, 0x72, 0x60, 1)
    assert read(device, 0x72, 1) == 0x3A
    write(device, 0x72, 0, 1)
    assert read(device, 0x72, 1) == 0x1A


@given(
    st.lists(
        st.tuples(
            st.integers(0x50, 0x64),
            st.sampled_from((1, 2, 4)),
            st.integers(0, 2**32 - 1),
        ),
        max_size=40,
    )
)
@settings(deadline=None)
def test_the_pieces_are_what_a_table_of_nibbles_says(
    writes: list[tuple[int, int, int]],
) -> None:
    device = i440fx.device()
    nibbles = dict.fromkeys(range(1, 14), 0)  # by number; 0 would be below 640 KiB
    for register, size, value in writes:
        old = dict(nibbles)
        for i in range(size):
            for half in range(2):
                number = 2 * (register + i - 0x59) + half
                if number in nibbles:
                    nibbles[number] = value >> 8 * i + 4 * half & 3
        signals = write(device, register, value, size)
        assert signals == (() if nibbles == old else (ShadowChanged(),))
    wanted = {
        0xF_0000 if number == 1 else 0xC_0000 + (number - 2) * 0x4000: nibble
        for number, nibble in nibbles.items()
    }
    assert {
        first: reads | writes_ram << 1
        for first, (_, reads, writes_ram) in seen(device).items()
    } == wanted


def test_it_can_be_saved_and_put_back() -> None:
    check_device(i440fx.device)
