"""The disk and the random numbers of platform `pc` as a whole machine has them.

The processor halts, and a driver does to the buses what a guest's would.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import pytest
from rigs.ram import Ram
from rigs.virtio_driver import MODERN, MSIX, Driver

from lapis_engine.boot import flat
from lapis_engine.events import MessageSent, VectorAccepted
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields
from lapis_engine.vmm import bus, clock
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 16 << 20
IOAPIC = 0xFEC0_0000
DISK_SLOT, RANDOM_SLOT = 3, 4
DISK = b"".join(bytes((number,)) * 512 for number in range(64))
HEADER, STATUS, DATA = 0x2000, 0x2100, 0x4000


class OnMachine(Driver):
    """The driver of one device of a whole machine."""

    def __init__(self, machine: Machine, slot: int) -> None:
        vm = machine.vm
        device = next(
            each for each in vm.devices if each.function and each.function.slot == slot
        )
        ram = vm.memory.regions[0]
        assert ram.gpa == 0
        super().__init__(device, Ram(cast("bytearray", ram.host)))
        self.machine, self.slot = machine, slot
        self.bus = bus.untrapped(vm, vm.vcpus[0], "normal")

    def config(self, register: int, size: int, value: int | None = None) -> int:
        return self.register(self.slot << 11, register, size, value)

    def register(
        self, function: int, register: int, size: int, value: int | None = None
    ) -> int:
        self.bus.port_out(0xCF8, 4, 1 << 31 | function | register & ~3)
        port = 0xCFC + register % 4
        if value is None:
            return self.bus.port_in(port, size) or 0
        assert self.bus.port_out(port, size, value)
        return 0

    def get(self, address: int, size: int) -> int:
        found = (
            self.bus.port_in(address, size)
            if address < 0x1_0000
            else self.bus.read(address, size)
        )
        assert found is not None
        return found

    def put(self, address: int, size: int, value: int) -> None:
        if address < 0x1_0000:
            assert self.bus.port_out(address, size, value)
        else:
            assert self.bus.write(address, size, value)

    def wait(self, ns: int = 20_000) -> None:
        vm = self.machine.vm
        end, due = vm.now + ns, clock.deadline(vm)
        while due is not None and due <= end:
            clock.pass_time(vm, due)
            due = clock.deadline(vm)
        clock.pass_time(vm, end)

    def read(self, sector: int, size: int = 512) -> None:
        """Make a read available and notify of it."""
        self.ram.write(HEADER, struct.pack("<IIQ", 0, 0, sector))
        self.ram.write(STATUS, b"\xee")
        self.add([(HEADER, 16)], [(DATA, size), (STATUS, 1)])
        self.notify()


@pytest.fixture
def machine() -> Iterator[Machine]:
    config = MachineConfig(
        cpus=1, memory=MEMORY, machine="pc", disk=DISK, seed=3, on_reset="reboot"
    )
    image = flat.load(b"\xf4", memory_bytes=MEMORY)
    found = Machine(config, image, pc.devices(config))
    seen = bus.untrapped(found.vm, found.vm.vcpus[0], "normal")
    assert seen.write(0xFEE0_00F0, 4, 0x1FF)
    yield found
    found.close()


def vectors(machine: Machine) -> list[int]:
    return [
        each.event.vector
        for each in machine.log.since(0)
        if isinstance(each.event, VectorAccepted)
    ]


def test_a_request_is_done_in_ram_and_heard_by_the_pin(machine: Machine) -> None:
    driver = OnMachine(machine, DISK_SLOT)
    driver.register(1 << 11, 0x62, 1, 11)  # PIRQC#, where INTA# of slot 3 goes
    driver.put(IOAPIC, 4, 0x10 + 2 * 11)
    driver.put(IOAPIC + 0x10, 4, 0x805B)  # level, vector 0x5b
    driver.start()
    driver.read(9)
    assert vectors(machine) == []
    driver.wait()
    assert driver.taken() == [(0, 513)]
    assert bytes(driver.ram.data[DATA : DATA + 512]) == b"\x09" * 512
    assert vectors(machine) == [0x5B]
    assert driver.get(MODERN + 0x1000, 1) == 1
    driver.wait(1)
    assert driver.get(IOAPIC + 0x10, 4) & 0x5000 == 0x4000  # still to be ended


def test_a_request_is_heard_by_a_message(machine: Machine) -> None:
    for slot, vector in ((DISK_SLOT, 0x61), (RANDOM_SLOT, 0x62)):
        driver = OnMachine(machine, slot)
        driver.start()
        driver.put(MSIX + 0, 4, 0xFEE0_0000)
        driver.put(MSIX + 8, 4, vector)
        driver.put(MSIX + 12, 4, 0)
        driver.config(0x9A, 2, 0x8000)
        driver.put(MODERN + 0x1A, 2, 0)
        driver.add([], [(DATA, 32)]) if slot == RANDOM_SLOT else driver.read(1)
        driver.notify()
        driver.wait()
        assert driver.taken()
        assert vectors(machine)[-1] == vector
        driver.config(4, 2, 0)  # the next one takes its place
    assert [
        each.event.source
        for each in machine.log.since(0)
        if isinstance(each.event, MessageSent)
    ] == ["virtio-blk vector 0", "virtio-rng vector 0"]


def test_a_checkpoint_between_notification_and_service(machine: Machine) -> None:
    driver = OnMachine(machine, DISK_SLOT)
    driver.start()
    for sector in range(3):
        driver.ram.write(HEADER, struct.pack("<IIQ", 1, 0, sector))
        driver.add([(HEADER, 16), (DATA, 1024)], [(STATUS, 1)])
        driver.notify()
        driver.wait(4_000)
        kept, before = capture.take(machine), state_fields(machine)
        driver.wait()
        driver.read(sector)
        driver.wait()
        after = state_fields(machine)
        assert after != before
        seen, heads = driver.seen, list(driver.heads)
        capture.put(machine, kept)
        assert state_fields(machine) == before
        driver.added -= 1
        driver.heads.pop()
        driver.wait()
        driver.read(sector)
        driver.wait()
        assert state_fields(machine) == after
        assert (driver.seen, driver.heads) == (seen, heads)
        driver.taken()


def test_what_was_written_outlives_a_reset_and_the_device_does_not(
    machine: Machine,
) -> None:
    driver = OnMachine(machine, DISK_SLOT)
    driver.start()
    driver.ram.data[DATA : DATA + 512] = b"kept" * 128
    driver.ram.write(HEADER, struct.pack("<IIQ", 1, 0, 5))
    driver.add([(HEADER, 16), (DATA, 512)], [(STATUS, 1)])
    driver.notify()
    driver.wait()
    assert driver.ram.data[STATUS] == 0
    driver.put(0xCF9, 1, 6)
    machine.run(1)
    assert driver.config(4, 2) == 0
    again = OnMachine(machine, DISK_SLOT)
    again.start()
    again.read(4, 1024)
    again.wait()
    assert bytes(again.ram.data[DATA : DATA + 1024]) == b"\x04" * 512 + b"kept" * 128
