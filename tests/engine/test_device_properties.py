"""What holds for every device, whatever a guest does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.ram import Ram, wired

from lapis_engine.devices import (
    cmos,
    debugcon,
    flash,
    fw_cfg,
    hpet,
    i8042,
    ioapic,
    isa_debug_exit,
    pc_testdev,
    pci,
    pci_host,
    pic,
    piix3,
    piix4_pm,
    pit,
    pmtimer,
    post_code,
    ps2,
    rtc,
    uart,
    vga,
)
from lapis_engine.profiles.catalog import SDM

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import Device

DEVICES: dict[str, Callable[[], Device]] = {
    "cmos": lambda: cmos.device(1 << 25, 2),
    "debugcon": debugcon.device,
    "flash": lambda: wired(
        flash.device(0x2000), Ram(bytearray(), bytearray(0x2000), 0xFFFF_E000)
    ),
    "fw_cfg": lambda: fw_cfg.device(1 << 25, 2, (("etc/a", b"abc"),)),
    "fw_cfg with dma": lambda: wired(
        fw_cfg.device(1 << 25, 2, (("etc/a", b"abc"),), dma=True), Ram(bytearray(256))
    ),
    "hpet": hpet.device,
    "hpet held up": lambda: hpet.device(pulses=False),
    "i8042": i8042.device,
    "ioapic": lambda: ioapic.device(SDM),
    "isa_debug_exit": isa_debug_exit.device,
    "pc_testdev": pc_testdev.device,
    "pci": pci.device,
    "pci_host": pci_host.device,
    "pic": pic.device,
    "pic checked": lambda: pic.device(modes_checked=True),
    "piix3": piix3.device,
    "piix4_pm": lambda: piix4_pm.device(0x600),
    "pit": pit.device,
    "pmtimer": pmtimer.device,
    "post_code": post_code.device,
    "ps2": ps2.device,
    "rtc": lambda: rtc.device(1 << 25, 2),
    "uart": uart.device,
    "vga": vga.device,
    "uart with levels": lambda: uart.device(levels=True),
}

REFUSING = {"pic checked", "pmtimer"}
"""Those that have accesses which nobody does (`Access.read`)."""

ACCESSES = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 7),
        st.sampled_from((1, 1, 1, 2, 4, 8)),
        st.one_of(st.integers(0, 255), st.integers(0, 2**64 - 1)),
        st.one_of(st.integers(0, 2_000), st.integers(0, 2**48)),
    ),
    max_size=40,
)


def places(device: Device) -> list[int]:
    """Its ports, and a few addresses of its MMIO."""
    ports = [r.first + i for r in device.ports for i in range(r.size)]
    offsets = (0x00, 0x10, 0x40, 0x04)
    return ports + [r.first + offset for r in device.mmio for offset in offsets]


@pytest.mark.parametrize("name", sorted(DEVICES))
@given(accesses=ACCESSES)
@settings(max_examples=60, deadline=None)
def test_no_access_raises_reads_fit_and_deadlines_lie_ahead(
    name: str, accesses: list[tuple[bool, int, int, int, int]]
) -> None:
    device = DEVICES[name]()
    ports = places(device)
    now = 0
    for is_write, which, size, value, later in accesses:
        now += later
        if device.timer is not None:
            device.timer.advance(device.state, now)
        port = ports[which % len(ports)]
        if is_write:
            mask = (1 << (8 * size)) - 1
            device.access.write(device.state, port, size, value & mask, now)
        else:
            got = device.access.read(device.state, port, size, now)
            refused = got == -1 and name in REFUSING
            assert refused or 0 <= got < 1 << (8 * size)
        if device.timer is not None:
            due = device.timer.deadline(device.state)
            assert due is None or due > now


@pytest.mark.parametrize("name", sorted(DEVICES))
@given(accesses=ACCESSES)
@settings(max_examples=20, deadline=None)
def test_the_same_accesses_give_the_same_history(
    name: str, accesses: list[tuple[bool, int, int, int, int]]
) -> None:
    def history() -> list[object]:
        device = DEVICES[name]()
        ports = places(device)
        seen: list[object] = []
        for is_write, which, size, value, now in accesses:
            port = ports[which % len(ports)]
            if is_write:
                told = value & ((1 << (8 * size)) - 1)
                seen.append(device.access.write(device.state, port, size, told, now))
            else:
                seen.append(device.access.read(device.state, port, size, now))
        return [*seen, device.state]

    assert history() == history()
