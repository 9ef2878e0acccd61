"""The legacy devices of platform `pc` as a whole machine has them.

The processor halts, and a test does to the ports what a guest would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lapis_engine.boot import flat
from lapis_engine.devices.i8042.keyboard import key
from lapis_engine.devices.uart.receiver import queue
from lapis_engine.events import VectorAccepted
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields
from lapis_engine.vmm import bus, clock, fabric
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 16 << 20
HPET = 0xFED0_0000
IOAPIC = 0xFEC0_0000
SECOND = 1_000_000_000


class Pc:
    """A machine, and hands on its bus."""

    def __init__(self) -> None:
        config = MachineConfig(cpus=1, memory=MEMORY, machine="pc")
        image = flat.load(b"\xf4", memory_bytes=MEMORY)
        self.machine = Machine(config, image, pc.devices(config))
        self.vm = self.machine.vm
        self.bus = bus.untrapped(self.vm, self.vm.vcpus[0], "normal")
        self.mmio(0xFEE0_00F0, 4, 0x1FF)
        self.out(0x21, 0xFF)  # the 8259 pair, whose INTR is pin 0, keeps still
        self.out(0xA1, 0xFF)
        for pin in (0, 1, 2, 4, 8, 16, 20):
            self.mmio(IOAPIC, 4, 0x10 + 2 * pin)
            self.mmio(IOAPIC + 0x10, 4, 0x40 + pin)

    def mmio(self, gpa: int, size: int, value: int) -> None:
        assert self.bus.write(gpa, size, value)

    def out(self, port: int, value: int) -> None:
        assert self.bus.port_out(port, 1, value)

    def into(self, port: int) -> int:
        value = self.bus.port_in(port, 1)
        assert value is not None
        return value

    def until(self, now: int) -> None:
        due = clock.deadline(self.vm)
        while due is not None and due <= now:
            clock.pass_time(self.vm, due)
            due = clock.deadline(self.vm)
        clock.pass_time(self.vm, now)

    def vectors(self) -> list[int]:
        return [
            each.event.vector
            for each in self.machine.log.since(0)
            if isinstance(each.event, VectorAccepted)
        ]


@pytest.fixture
def it() -> Iterator[Pc]:
    found = Pc()
    yield found
    found.machine.close()


def start_8254(it: Pc) -> None:
    """Channel 0, mode 2, 1000 counts: 838 us."""
    for port, value in ((0x43, 0x34), (0x40, 0xE8), (0x40, 0x03)):
        it.out(port, value)


def test_the_8254_comes_through_the_hpet_and_is_cut_off_by_it(it: Pc) -> None:
    start_8254(it)
    it.until(SECOND // 1000)
    assert it.vectors() == [0x42]
    it.mmio(HPET + 0x10, 8, 2)
    it.until(SECOND // 100)
    assert it.vectors() == [0x42]
    it.mmio(HPET + 0x10, 8, 0)
    it.until(SECOND // 100 + 2 * SECOND // 1000)
    # Its output is high, which is an edge; then come three of its own.
    assert it.vectors() == [0x42] * 5


def test_the_hpet_takes_both_lines_over(it: Pc) -> None:
    start_8254(it)
    it.out(0x70, 0x0B)
    it.out(0x71, 0x42)  # 1024 interrupts in a second, which nobody sees
    for timer, period in ((0, 110_000), (1, 150_000)):
        it.mmio(HPET + 0x100 + 0x20 * timer, 8, 0x4C)
        it.mmio(HPET + 0x108 + 0x20 * timer, 8, period)
    it.mmio(HPET + 0x10, 8, 3)
    it.until(2 * SECOND // 1000)
    assert sorted(it.vectors()) == [0x42, 0x48]


def test_a_key_and_what_is_typed_arrive_as_interrupts(it: Pc) -> None:
    it.out(0x3FC, 0x08)
    it.out(0x3F9, 0x01)
    com1 = next(each for each in it.vm.devices if each.name == "com1")
    keyboard = next(each for each in it.vm.devices if each.name == "i8042")
    fabric.signal(it.vm, queue(com1.state, b"ok", it.vm.now), -1)
    fabric.signal(it.vm, key(keyboard.state, b"\x1e\x9e"), -1)
    it.vm.timers.moved = True
    assert it.vectors() == [0x41]
    assert it.into(0x60) == 0x1E
    it.until(SECOND // 100)
    assert sorted(it.vectors()) == [0x41, 0x41, 0x44]
    assert it.into(0x3F8) == ord("o")
    assert it.into(0x60) == 0x9E


def test_the_machine_is_put_back_in_the_middle_of_it_all(it: Pc) -> None:
    start_8254(it)
    for index, value in ((0x0A, 0x23), (0x0B, 0x72), (0x01, 0xFF)):
        it.out(0x70, index)
        it.out(0x71, value)
    it.mmio(HPET + 0x120, 8, 0x4E | 20 << 9)
    it.mmio(HPET + 0x128, 8, 12_345)
    it.mmio(HPET + 0x10, 8, 1)
    it.out(0x3F9, 0x01)
    it.out(0x3FA, 0xC1)
    com1 = next(each for each in it.vm.devices if each.name == "com1")
    queue(com1.state, bytes(range(50)), 0)
    it.vm.timers.moved = True

    def work(begin: int) -> None:
        for step in range(50):
            it.until(begin + step * SECOND // 5000)
            it.out(0x70, 0x0C)
            it.into(0x71)
            it.into(0x3F8)
            it.mmio(HPET + 0x20, 8, 7)

    work(0)
    taken, before = capture.take(it.machine), state_fields(it.machine)
    work(SECOND)
    after = state_fields(it.machine)
    assert after != before
    capture.put(it.machine, taken)
    assert state_fields(it.machine) == before
    work(SECOND)
    assert state_fields(it.machine) == after
