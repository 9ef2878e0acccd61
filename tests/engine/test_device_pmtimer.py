"""The ACPI PM timer: 3 579 545 Hz, read as a dword and in no other way."""

from __future__ import annotations

import pytest

from lapis_engine.boot import flat
from lapis_engine.devices import pmtimer
from lapis_engine.devices.device import Refused
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_plugins.builtin import bare

COUNT = 0x408


def read(now: int, address: int = COUNT, size: int = 4) -> int:
    device = pmtimer.device()
    return device.access.read(device.state, address, size, now)


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (0, 0),
        (279, 0),  # one tick is 279.36 ns
        (280, 1),
        (558, 1),
        (559, 2),
        (10**9, 3_579_545),
        (10**9 - 1, 3_579_544),
        (2**32 * 10**9 // 3_579_545, 2**32 - 1),  # 1199.86 s
        (2**32 * 10**9 // 3_579_545 + 1, 0),
        (3600 * 10**9, (3600 * 3_579_545) % 2**32),
    ],
)
def test_the_count_is_virtual_time_in_ticks_modulo_2_to_the_32(
    now: int, count: int
) -> None:
    assert read(now) == count


def test_the_count_starts_at_its_base() -> None:
    device = pmtimer.device()
    device.state.base = 5_000_000_000
    assert device.access.read(device.state, COUNT, 4, 6_000_000_000) == 3_579_545


@pytest.mark.parametrize(
    ("address", "size"),
    [(0x408, 1), (0x408, 2), (0x408, 8), (0x409, 1), (0x40A, 2), (0x409, 4)],
)
def test_every_other_in_is_refused(address: int, size: int) -> None:
    assert read(10**9, address, size) == -1


@pytest.mark.parametrize("size", [1, 2, 4])
def test_every_out_is_refused_and_changes_nothing(size: int) -> None:
    device = pmtimer.device()
    (signal,) = device.access.write(device.state, COUNT, size, 0xFF, 10**9)
    assert isinstance(signal, Refused)
    assert "0x408" in signal.why
    assert device.access.read(device.state, COUNT, 4, 10**9) == 3_579_545


def test_it_has_four_ports() -> None:
    device = pmtimer.device()
    assert [(where.first, where.size) for where in device.ports] == [(0x408, 4)]
    assert (device.mmio, device.timer) == ((), None)


def test_nothing_else_of_a_pc_wants_its_ports() -> None:
    config = MachineConfig(cpus=1, memory=16 << 20)
    devices = bare.devices(config)
    image = flat.load(b"\xf4", memory_bytes=16 << 20)
    Machine(config, image, devices)  # raises `ConfigError` where ranges overlap
    owners = [
        device.name
        for device in devices
        for where in device.ports
        if any(port in where for port in range(0x408, 0x40C))
    ]
    assert owners == ["pmtimer"]
