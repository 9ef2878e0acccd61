"""The header of a PCI function against PCI Local Bus 3.0, chapter 6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices.device import Range
from lapis_engine.devices.pci_function import header
from lapis_engine.devices.pci_function.bar import Bar
from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.pci_function.layout import Capability, ConfigRegister, make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.devices.device import Signals

DISK = make(
    0x1AF4,
    0x1042,
    class_code=0x01_0000,
    revision=1,
    subsystem_vendor=0x1AF4,
    subsystem=0x1100,
    pin=1,
    bars=(
        Bar(0, "io", 0x40),
        Bar(1, "memory", 0x1000),
        Bar(4, "memory64", 0x4000, prefetchable=True),
    ),
    capabilities=(
        Capability(0x98, 0x11, bytes(10), b"\x00\xc0"),
        Capability(0x40, 0x09, b"\x10\x01\x04"),
    ),
    registers=(ConfigRegister(0x60, 2, 0x1234, writable=0x00F0, clears=0x8000),),
)
IO, MEMORY, MASTER = 1, 2, 4
MASK32 = 0xFFFF_FFFF


def read(config: bytes, register: int, size: int = 4) -> int:
    return DISK.read(config, register, size)


def written(*writes: tuple[int, int, int]) -> bytes:
    config = DISK.reset
    for register, size, value in writes:
        config = DISK.write(config, register, size, value)
    return config


def test_the_header_reads_as_the_ids_class_and_list_that_it_was_made_of() -> None:
    config = DISK.reset
    assert len(config) == 256
    assert read(config, 0x00) == 0x1042_1AF4
    assert read(config, 0x04) == 0x0010_0000  # status: capabilities
    assert read(config, 0x08) == 0x0100_0001
    assert read(config, 0x0C) == 0
    assert read(config, 0x2C) == 0x1100_1AF4
    assert read(config, 0x34, 1) == 0x98
    assert read(config, 0x98) == 0x0000_4011
    assert read(config, 0x40) == 0x0110_0009
    assert read(config, 0x44, 1) == 0x04
    assert read(config, 0x3C, 2) == 0x0100
    assert read(config, 0x60, 2) == 0x1234


def test_a_read_past_the_end_is_ones_there() -> None:
    assert read(DISK.reset, 0xFE, 4) == 0xFFFF_0000


def test_windows_are_sized_by_writing_ones() -> None:
    config = written(*((0x10 + 4 * bar, 4, 0xFFFF_FFFF) for bar in range(6)))
    assert read(config, 0x10) == 0xFFFF_FFC1
    assert read(config, 0x14) == 0xFFFF_F000
    assert read(config, 0x18) == read(config, 0x1C) == 0
    assert read(config, 0x20) == 0xFFFF_C00C
    assert read(config, 0x24) == 0xFFFF_FFFF


def test_what_is_read_only_stays() -> None:
    config = written(*((at, 4, 0xFFFF_FFFF) for at in range(0, 0x10, 4)))
    assert read(config, 0x00) == 0x1042_1AF4
    assert read(config, 0x04) == 0x0010_0547
    assert read(config, 0x08) == 0x0100_0001
    assert read(config, 0x0C) == 0
    config = written((0x3C, 4, 0xFFFF_FF0B), (0x98, 4, MASK32), (0x60, 2, 0x80A5))
    assert read(config, 0x3C) == 0x0000_010B
    assert read(config, 0x98) == 0xC000_4011
    assert read(config, 0x60, 2) == 0x12A4


def test_a_window_answers_where_it_was_put_while_the_command_says_so() -> None:
    placed = (
        (0x10, 4, 0xC000), (0x14, 4, 0xFEBF_1000), (0x20, 4, 0x8000_4000), (0x24, 4, 3)
    )  # fmt: skip
    off = written(*placed)
    assert (DISK.ports(off), DISK.mmio(off)) == ((), ())
    on = DISK.write(off, 0x04, 2, IO)
    assert (DISK.ports(on), DISK.mmio(on)) == ((Range(0xC000, 0x40),), ())
    on = DISK.write(off, 0x04, 2, MEMORY)
    assert DISK.ports(on) == ()
    assert DISK.mmio(on) == (
        Range(0xFEBF_1000, 0x1000), Range(0x3_8000_4000, 0x4000)
    )  # fmt: skip
    assert DISK.window(on, 4) == Range(0x3_8000_4000, 0x4000)
    assert DISK.window(on, 0) is None
    assert DISK.window(on, 5) is None


@pytest.mark.parametrize("value", [0, 0xFFFF_FFFF, 0x0001_0000])
def test_an_io_window_is_nowhere_at_0_at_ones_and_beyond_64k(value: int) -> None:
    config = written((0x04, 2, IO), (0x10, 4, value))
    assert DISK.ports(config) == ()


def test_the_last_windows_that_there_are() -> None:
    config = written((0x04, 2, IO | MEMORY), (0x10, 4, 0xFF80), (0x14, 4, 0xFFFF_E000))
    assert DISK.ports(config) == (Range(0xFF80, 0x40),)
    assert DISK.mmio(config) == (Range(0xFFFF_E000, 0x1000),)
    config = written((0x04, 2, IO | MEMORY), (0x10, 4, 0xFFC0), (0x14, 4, 0xFFFF_F000))
    assert (DISK.ports(config), DISK.mmio(config)) == ((), ())


def test_command_and_interrupt_status() -> None:
    config = written((0x04, 2, MASTER | 0x400))
    assert header.command(config) == 0x404
    assert header.is_master(config)
    assert not header.has_intx(config)
    assert header.has_intx(DISK.reset)
    assert not header.is_master(DISK.reset)
    pending = header.with_interrupt(config, pending=True)
    assert read(pending, 0x04) == 0x0018_0404
    assert header.with_interrupt(pending, pending=False) == config


@pytest.mark.parametrize(
    ("index", "kind", "size"),
    [
        (6, "io", 4), (5, "memory64", 16), (-1, "io", 4), (0, "io", 2), (0, "io", 24),
        (0, "memory", 8), (0, "memory", 1 << 32), (0, "io", 1 << 16),
    ],
)  # fmt: skip
def test_there_are_no_other_windows(index: int, kind: str, size: int) -> None:
    with pytest.raises(ValueError, match="BAR"):
        Bar(index, kind, size)  # type: ignore[arg-type] # it is what is wrong, too


@pytest.mark.parametrize(
    "parts",
    [
        {"bars": (Bar(0, "memory64", 16), Bar(1, "io", 4))},
        {"capabilities": (Capability(0x40, 5, bytes(8)), Capability(0x48, 5, b""))},
        {"capabilities": (Capability(0xFC, 5, bytes(3)),)},
        {"capabilities": (Capability(0x42, 5, b""),)},
        {"capabilities": (Capability(0x3C, 5, b""),)},
    ],
)
def test_a_header_has_room_for_all_that_it_is_made_of(
    parts: dict[str, Sequence[object]],
) -> None:
    with pytest.raises(ValueError, match=r"config|capability"):
        make(1, 2, class_code=0, **parts)  # type: ignore[arg-type] # of either kind


@dataclass(slots=True)
class Kept:
    config: bytes = DISK.reset


WRITABLE = {  # bit by bit, from the specification and from how the disk is made
    **dict.fromkeys((0x11, 0x12, 0x13, 0x16, 0x17, *range(0x22, 0x28), 0x3C), 0xFF),
    0x04: 0x47,
    0x05: 0x05,
    0x10: 0xC0,
    0x15: 0xF0,
    0x21: 0xC0,
    0x60: 0xF0,
    0x9B: 0xC0,
}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 255), st.sampled_from(sorted(WRITABLE))),
            st.sampled_from((1, 2, 4)),
            st.integers(0, 2**32 - 1),
        ),
        max_size=60,
    )
)
@settings(deadline=None)
def test_the_space_is_what_a_list_of_bits_is(
    writes: list[tuple[int, int, int]],
) -> None:
    function, state = HeaderFunction(DISK), Kept()
    slow = [byte >> bit & 1 for byte in DISK.reset for bit in range(8)]
    for register, size, value in writes:
        signals: Signals = function.write(state, register, size, value, 0)
        assert signals == ()
        for number in range(8 * size):
            byte, bit = register + number // 8, number % 8
            if byte < 256 and WRITABLE.get(byte, 0) >> bit & 1:
                slow[8 * byte + bit] = value >> number & 1
            if (byte, bit) == (0x61, 7) and value >> number & 1:
                slow[8 * byte + bit] = 0
    for at in range(0, 256, 4):
        want = sum(slow[8 * at + bit] << bit for bit in range(32))
        assert function.read(state, at, 4, 0) == want
    for where in (*function.ports(state), *function.mmio(state)):
        assert where.first > 0
        assert where.first % where.size == 0
