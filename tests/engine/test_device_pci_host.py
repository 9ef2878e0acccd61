"""Configuration mechanism 1 against PCI Local Bus 3.0, "Configuration Mechanism #1"."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices import pci_host
from lapis_engine.devices.device import (
    Device,
    Function,
    IntxChanged,
    Signals,
    Wiring,
)
from lapis_engine.memory.dma import BusMaster
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.plain import Plain
from lapis_plugins.testing import Touch, check_device

SEEN = IntxChanged(3, 1, asserted=True)


@dataclass(slots=True)
class Bytes:
    space: bytes = bytes(range(256))
    cycles: tuple[tuple[int, int], ...] = ()


class Space:
    """256 bytes that can all be written."""

    def read(self, state: Bytes, register: int, size: int, now: int) -> int:
        assert size in (1, 2, 4)
        assert register % size == 0
        assert now == 7
        return int.from_bytes(state.space[register : register + size], "little")

    def write(
        self, state: Bytes, register: int, size: int, value: int, now: int
    ) -> Signals:
        assert now == 7
        assert value >> 8 * size == 0
        new = value.to_bytes(size, "little")
        state.space = state.space[:register] + new + state.space[register + size :]
        state.cycles += ((register, size),)
        return (SEEN,)


def machine() -> tuple[Device, Device]:
    """Return the ports, and the device behind them as function 3.5."""
    host = pci_host.device()
    behind = Device("behind", Bytes(), None, function=Function(3, 5, Space()))  # type: ignore[arg-type] # it has no ports
    assert host.wire is not None
    host.wire(Wiring(BusMaster(PhysicalMemory()), {(3, 5): behind}))
    return host, behind


def read(device: Device, port: int, size: int = 4) -> int:
    return device.access.read(device.state, port, size, 7)


def write(device: Device, port: int, value: int, size: int = 4) -> Signals:
    return device.access.write(device.state, port, size, value, 7)


def choose(device: Device, register: int, at: int = 0x8000_1D00) -> None:
    """Address a register of function 3.5, or of what else is at `at`."""
    write(device, 0xCF8, at | register)


def test_the_address_reads_back_without_its_reserved_bits() -> None:
    host, _ = machine()
    write(host, 0xCF8, 0xFFFF_FFFF)
    assert read(host, 0xCF8) == 0x80FF_FFFC
    assert host.plain is not None
    assert host.plain(host.state, 0xCF8, 4, 7) == Plain(0x80FF_FFFC)
    assert host.plain(host.state, 0xCF8, 2, 7) is None
    assert host.plain(host.state, 0xCFC, 4, 7) is None


@pytest.mark.parametrize(("port", "size"), [(0xCF8, 1), (0xCF8, 2), (0xCFA, 2)])
def test_the_address_is_reached_as_a_dword_alone(port: int, size: int) -> None:
    host, _ = machine()
    choose(host, 0x40)
    assert read(host, port, size) == (1 << 8 * size) - 1
    assert write(host, port, 0x1234, size) == ()
    assert read(host, 0xCF8) == 0x8000_1D40


def test_the_reset_port_is_not_taken() -> None:
    host, _ = machine()
    taken = {r.first + i for r in host.ports for i in range(r.size)}
    assert taken == {0xCF8, 0xCFA, 0xCFB, 0xCFC, 0xCFD, 0xCFE, 0xCFF}


@pytest.mark.parametrize(
    ("port", "size", "value"),
    [
        (0xCFC, 4, 0x4342_4140),
        (0xCFC, 2, 0x4140),
        (0xCFE, 2, 0x4342),
        (0xCFD, 2, 0x4241),
        (0xCFC, 1, 0x40),
        (0xCFF, 1, 0x43),
        (0xCFD, 4, 0xFF43_4241),  # the window ends
        (0xCFF, 2, 0xFF43),
        (0xCFC, 8, 0xFFFF_FFFF_4342_4140),
    ],
)
def test_the_window_is_a_view_of_the_register(port: int, size: int, value: int) -> None:
    host, _ = machine()
    choose(host, 0x40)
    assert read(host, port, size) == value


@pytest.mark.parametrize(
    ("port", "size", "cycles"),
    [
        (0xCFC, 4, ((0x44, 4),)),
        (0xCFE, 2, ((0x46, 2),)),
        (0xCFD, 2, ((0x45, 1), (0x46, 1))),
        (0xCFD, 4, ((0x45, 1), (0x46, 2))),
        (0xCFC, 8, ((0x44, 4),)),
    ],
)
def test_functions_see_aligned_cycles_and_their_signals_come_back(
    port: int, size: int, cycles: tuple[tuple[int, int], ...]
) -> None:
    host, behind = machine()
    choose(host, 0x44)
    value = 0x8877_6655_4433_2211 & (1 << 8 * size) - 1
    assert write(host, port, value, size) == (SEEN,) * len(cycles)
    assert behind.state.cycles == cycles
    start, end = 0x44 + port - 0xCFC, min(0x44 + port - 0xCFC + size, 0x48)
    data = value.to_bytes(8, "little")[: end - start]
    assert behind.state.space[start:end] == data
    assert behind.state.space[0x48] == 0x48


@pytest.mark.parametrize(
    "address",
    [0x0000_1D40, 0x8001_1D40, 0x8000_1C40, 0x8000_2540, 0x80FF_1D40, 0x8000_0040],
    ids=["not enabled", "bus 1", "other function", "other slot", "bus 255", "slot 0"],
)
def test_where_there_is_no_function_are_ones(address: int) -> None:
    host, behind = machine()
    write(host, 0xCF8, address)
    assert read(host, 0xCFC) == 0xFFFF_FFFF
    assert read(host, 0xCFE, 2) == 0xFFFF
    assert write(host, 0xCFC, 0) == ()
    assert behind.state == Bytes()


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from((0x8000_1D00, 0x8000_1D00, 0x8000_0000, 0x1D00)),
            st.integers(0, 63),
            st.integers(0, 3),
            st.sampled_from((1, 2, 4)),
            st.integers(0, 2**32 - 1),
        ),
        max_size=30,
    )
)
@settings(deadline=None)
def test_it_is_what_a_bus_of_bytes_is(
    accesses: list[tuple[bool, int, int, int, int, int]],
) -> None:
    host, behind = machine()
    space = list(range(256))
    for is_write, base, dword, lane, size, value in accesses:
        choose(host, 4 * dword, base)
        there = base == 0x8000_1D00
        if is_write:
            write(host, 0xCFC + lane, value & (1 << 8 * size) - 1, size)
            for i in range(size):
                if there and lane + i < 4:
                    space[4 * dword + lane + i] = value >> 8 * i & 0xFF
        else:
            wanted = [
                space[4 * dword + lane + i] if there and lane + i < 4 else 0xFF
                for i in range(size)
            ]
            got = read(host, 0xCFC + lane, size)
            assert got == int.from_bytes(bytes(wanted), "little")
    assert list(behind.state.space) == space


def test_it_can_be_saved_and_put_back() -> None:
    check_device(pci_host.device)
    check_device(
        pci_host.device,
        [Touch(0xCF8, 4, v) for v in (0x8000_0904, 3)] + [Touch(0xCF8, 4)],
    )
