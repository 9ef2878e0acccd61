"""What would be answered, without touching: the same value, and nothing changed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from rigs.asking import asking

from lapis_engine.vmm.bus import untrapped
from lapis_engine.vmm.peeking import peek

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

SIZES = (1, 2, 4)


def states(machine: Machine) -> list[str]:
    apics = [repr(vcpu.apic) for vcpu in machine.vcpus]
    return [repr(device.state) for device in machine.vm.devices] + apics


def pc() -> Machine:
    """A PC with something in its devices that a read would take away."""
    machine = asking("", machine="pc").machine
    for port, size, value in [
        (0x3FC, 1, 0x10), (0x3F8, 1, 0x41),  # a byte in COM1 by loopback
        (0x64, 1, 0x20),  # the command byte of the 8042 in its output buffer
        (0x70, 1, 0x0C), (0x510, 2, 0),  # register C of the clock; "QEMU"
        (0x43, 1, 0x34), (0x40, 1, 0), (0x40, 1, 1), (0x43, 1, 0),  # a latched count
        (0xCF8, 4, 0x80002000),  # virtio
    ]:  # fmt: skip
        device = machine.vm.ports.find(port)
        assert device is not None
        device.access.write(device.state, port, size, value, machine.now)
    return machine


def test_a_peek_of_every_register_is_what_a_read_gives_and_changes_nothing() -> None:
    """In a random order: reads do change what the later ones find."""
    machine = pc()
    vm, vcpu = machine.vm, machine.vcpu(0)
    places = [
        ("inout", each.first + n)
        for where, _ in vm.ports.claims()
        for each in (where,)
        for n in range(min(each.size, 64))
    ]
    places += [
        ("mmio", where.first + n)
        for where, _ in vm.mmio.claims()
        for n in range(0, min(where.size, 0x400), 4)
    ]
    places += [("mmio", 0xFEE0_0000 + n) for n in range(0, 0x400, 16)]
    Random(1).shuffle(places)
    known = 0
    bus = untrapped(vm, vcpu, "normal")
    for kind, address in places:
        for size in SIZES:
            before = states(machine)
            value = peek(vm, vcpu, kind, address, size)
            assert states(machine) == before, (kind, hex(address), size)
            read = bus.port_in if kind == "inout" else bus.read
            if value is not None:
                known += 1
                assert read(address, size) == value, (kind, hex(address), size)
    assert known > 1000


@pytest.mark.parametrize(
    ("kind", "address", "size", "value"),
    [
        ("inout", 0x3F8, 1, 0x41), ("inout", 0x60, 1, 0x65), ("inout", 0x511, 1, 0x51),
        ("inout", 0xCFC, 2, 0x1AF4), ("inout", 0x402, 1, 0xE9),
        ("mmio", 0xFEE000F0, 4, 0xFF), ("mmio", 0xFED00004, 4, 10_000_000),
        ("mmio", 0xFEE000B0, 4, 0), ("msr", 0x1B, 8, 0xFEE00900),
        ("msr", 0x277, 8, 0x0007_0406_0007_0406),
        ("msr", 0x830, 8, None), ("msr", 0x12345, 8, None),
        ("mmio", 0xD0000000, 4, None), ("inout", 0x999, 1, None),
        ("inst-emul", 0x10000, 1, None),
    ],
)  # fmt: skip
def test_what_is_peeked(kind: str, address: int, size: int, value: int | None) -> None:
    machine = pc()
    for _ in range(2):
        assert peek(machine.vm, machine.vcpu(0), kind, address, size) == value


def test_where_addresses_float_a_peek_reads_ones() -> None:
    machine = pc()
    machine.vm.float_ports = machine.vm.float_mmio = True
    vm, vcpu = machine.vm, machine.vcpu(0)
    assert peek(vm, vcpu, "inout", 0x999, 2) == 0xFFFF
    assert peek(vm, vcpu, "mmio", 0xD000_0000, 4) == 0xFFFF_FFFF
