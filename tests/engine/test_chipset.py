"""The chip set of platform `pc` as a machine has it: what one part does to others."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from lapis_engine.boot import firmware as boot_firmware
from lapis_engine.boot import flat
from lapis_engine.boot.image import Blob, BootPlan, ResetEntry
from lapis_engine.devices.device import IntxChanged
from lapis_engine.events import Oddity
from lapis_engine.machine.config import MAX_FLASH, MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import Digester
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import fabric
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device

MEMORY = 16 << 20
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
LOOP = b"\xeb\xfe"
ROM = bytes([0x11]) * 0x1_FFF0 + bytes.fromhex("f4").ljust(16, b"\x90")


def kernel() -> Machine:
    """Return a machine without firmware."""
    config = MachineConfig(cpus=1, memory=MEMORY, machine="pc", float_ports=True)
    return Machine(config, flat.load(LOOP, memory_bytes=MEMORY), pc.devices(config))


def firmware() -> Machine:
    """Return a machine with firmware of 128 KiB."""
    size = len(ROM)
    config = MachineConfig(
        cpus=1, memory=MEMORY, machine="pc", float_ports=True, flash=size
    )
    blobs = Blob(0xE_0000, ROM), Blob((1 << 32) - size, ROM, rom=True)
    return Machine(config, BootPlan("x", blobs, ResetEntry()), pc.devices(config))


def port_in(it: Machine, port: int, size: int = 4) -> int:
    got = it.vm.buses[0].port_in(port, size)
    assert got is not None
    return got


def port_out(it: Machine, port: int, value: int, size: int = 4) -> None:
    assert it.vm.buses[0].port_out(port, size, value)


def configure(it: Machine, at: int, value: int, size: int = 4) -> None:
    """Write register [7:0] of function [10:8] of slot [15:11] of bus 0."""
    port_out(it, 0xCF8, 0x8000_0000 | at & ~3)
    port_out(it, 0xCFC + (at & 3), value, size)


def device(it: Machine, name: str) -> Device:
    return next(each for each in it.vm.devices if each.name == name)


def test_the_bus_has_the_three_functions_of_the_chip_set_and_ones() -> None:
    it = firmware()
    found = {}
    for at in range(0, 1 << 16, 1 << 8):
        port_out(it, 0xCF8, 0x8000_0000 | at)
        found[at >> 11, at >> 8 & 7] = port_in(it, 0xCFC)
    assert found.pop((0, 0)) == 0x1237_8086
    assert found.pop((1, 0)) == 0x7000_8086
    assert found.pop((1, 3)) == 0x7113_8086
    others = {place: ids for place, ids in found.items() if ids != 0xFFFF_FFFF}
    assert all(slot >= 2 for slot, _ in others)


def test_power_management_is_where_firmware_puts_it() -> None:
    it = firmware()
    assert port_in(it, 0xB000) == 0xFFFF_FFFF
    configure(it, 0x0B40, 0xB000)
    configure(it, 0x0B80, 1, 1)
    assert port_in(it, 0xB000) == 0
    configure(it, 0x0B40, 0xC000)
    assert port_in(it, 0xB000) == 0xFFFF_FFFF
    assert port_in(it, 0xC004, 2) == 0


def test_a_kernel_without_firmware_powers_off_at_0x604() -> None:
    it = kernel()
    port_out(it, 0x604, 0x2000, 2)
    assert it.vm.suspended is not None
    assert it.vm.suspended.how == "poweroff"


def test_memory_below_1_mib_is_rom_until_pam_says_otherwise() -> None:
    it = firmware()
    memory = it.vm.memory
    assert memory.read(0xF_0000, 1) == b"\x11"
    assert memory.region(0xC_0000) is None
    configure(it, 0x005A, 0x33, 1)
    assert memory.read(0xC_0000, 1) == b"\x00"
    configure(it, 0x0059, 0x30, 1)
    memory.write(0xF_0000, b"\x22")
    configure(it, 0x0059, 0x00, 1)
    assert memory.read(0xF_0000, 1) == b"\x11"
    configure(it, 0x0059, 0x10, 1)
    assert memory.read(0xF_0000, 1) == b"\x22"


def test_without_firmware_memory_below_1_mib_is_ram() -> None:
    memory = kernel().vm.memory
    for gpa in (0xC_0000, 0xE_FFFF, 0xF_FFFF):
        memory.write(gpa, b"\x5a")
        assert memory.read(gpa, 1) == b"\x5a"


def test_interrupt_pins_reach_the_interrupt_controllers() -> None:
    it = firmware()
    configure(it, 0x0860, 0x0A0A_0B0B)
    assert it.vm.pic is not None
    lines = []
    for slot, pin, up in ((4, 1, True), (2, 1, True), (4, 1, False), (2, 1, False)):
        fabric.signal(it.vm, (IntxChanged(slot, pin, asserted=up),), -1)
        lines.append(it.vm.pic.slave.lines)
    assert lines == [1 << 2, 1 << 2 | 1 << 3, 1 << 3, 0]


def test_the_timer_of_a_function_is_looked_at_after_a_configuration_write() -> None:
    it = firmware()
    it.vm.timers.moved = False
    configure(it, 0x0B40, 0xB000)
    assert it.vm.timers.moved


def test_the_overflow_of_the_acpi_timer_interrupts_at_its_time() -> None:
    it = kernel()
    assert it.vm.pic is not None
    port_out(it, 0x602, 1, 2)
    it.vm.now = 2_343_484_400
    it.run(37)
    assert (it.vm.now, it.vm.pic.slave.lines & 2) == (2_343_484_437, 0)
    it.run(1)
    assert it.vm.pic.slave.lines & 2


def test_without_firmware_interrupts_are_set_up_as_a_bios_leaves_them() -> None:
    it = kernel()
    port_out(it, 0xCF8, 0x8000_0860)
    assert port_in(it, 0xCFC) == 0x0B0B_0A0A
    ports = (0x21, 0xA1, 0x4D0, 0x4D1)
    assert [port_in(it, port, 1) for port in ports] == [0xF8, 0xEE, 0x00, 0x0E]
    pic = it.vm.pic
    assert pic is not None
    assert (pic.master.ready, pic.slave.ready) == (True, True)
    assert (pic.master.base, pic.slave.base) == (0x08, 0x70)
    assert pic.intr is False


def test_with_firmware_they_are_as_after_a_reset() -> None:
    it = firmware()
    assert it.vm.pic is not None
    assert not it.vm.pic.master.ready
    port_out(it, 0xCF8, 0x8000_0860)
    assert port_in(it, 0xCFC) == 0x8080_8080


def test_a_reset_by_0xcf9_is_one() -> None:
    it = firmware()
    port_out(it, 0xCF9, 0x06, 1)
    assert it.vm.suspended is not None
    assert it.vm.suspended.how == "reset"


@pytest.mark.parametrize("flash", [MAX_FLASH, MAX_FLASH - 0x1000, 0x2_0000])
def test_flash_of_any_size_leaves_no_two_claims_of_one_address(flash: int) -> None:
    config = MachineConfig(cpus=1, memory=MEMORY, machine="pc", flash=flash)
    plan = flat.load(b"\xf4", memory_bytes=MEMORY)
    Machine(config, plan, pc.devices(config))


@pytest.mark.skipif(not SEABIOS.exists(), reason="SeaBIOS is not installed")
def test_seabios_finds_the_chip_set_and_sets_it_up() -> None:
    data = SEABIOS.read_bytes()
    config = MachineConfig(
        cpus=1, memory=64 << 20, machine="pc", float_ports=True, float_mmio=True,
        flash=len(data),
    )  # fmt: skip
    it = Machine(config, boot_firmware.load(data), pc.devices(config))
    it.run(500_000)
    said = it.consoles["debugcon"].decode("ascii", "replace")
    for line in (
        "Running on QEMU (i440fx)",
        "PCI: init bdf=00:00.0 id=8086:1237",
        "PCI: init bdf=00:01.0 id=8086:7000",
        "PIIX3/PIIX4 init: elcr=00 0c",
        "PCI: init bdf=00:01.3 id=8086:7113",
        "Copying PIR",
    ):
        assert line in said
    assert port_in(it, 0xB004, 2) == 0
    port_out(it, 0xCF8, 0x8000_0860)
    assert port_in(it, 0xCFC) == 0x0B0B_0A0A


@cache
def interesting() -> tuple[int, ...]:
    return (
        *(0xCF8, 0xCF9, *range(0xCFC, 0xD00)) * 4,
        *(0xB2, 0xB3, 0xAFE0, 0xAFE2, 0xE0, 0xE4, 0xE8, 0x92),
        *range(0x600, 0x640, 2),
        *range(0x2000, 0x2018),
    )


def hostile(it: Machine, random: Random, count: int) -> None:
    """Write and read at random, where there is something to be found."""
    bus = it.vm.buses[0]
    for _ in range(count):
        size = random.choice((1, 2, 4))
        port = random.choice(interesting())
        if port == 0xCF8:
            # Functions 0 to 3 of the first slots; now and then anything at all.
            value = 0x8000_0000 | random.getrandbits(13) & ~0x400
            size, value = (4, value) if random.random() < 0.9 else (size, value >> 3)
        else:
            value = random.getrandbits(8 * size)
        try:
            if random.random() < 0.3:
                got = bus.port_in(port, size)
                assert got is None or 0 <= got < 1 << 8 * size
            else:
                bus.port_out(port, size, value & (1 << 8 * size) - 1)
            for _, owner in it.vm.ports.claims():
                assert owner in it.vm.devices
        except HandlerRefused:
            continue
        if it.vm.suspended is not None:
            it.vm.suspended = None


@pytest.mark.parametrize("seed", range(4))
def test_no_programming_of_it_raises_and_it_comes_back(seed: int) -> None:
    it = firmware() if seed % 2 else kernel()
    hostile(it, Random(seed), 1500)
    kept = capture.take(it)
    hostile(it, Random(seed + 100), 500)
    end = Digester(it).digest()
    capture.put(it, kept)
    hostile(it, Random(seed + 100), 500)
    assert Digester(it).digest() == end


def test_a_sleep_that_is_not_there_is_noted() -> None:
    it = kernel()
    port_out(it, 0x604, 0x2400, 2)
    assert it.vm.suspended is None
    assert any(isinstance(each.event, Oddity) for each in it.log.since(0))
    assert port_in(it, 0x600, 2) == 0x8000
