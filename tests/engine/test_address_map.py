"""Who serves an address: one answer, whoever asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from conformance.rig import MEMORY, Rig

from lapis_engine.boot import flat
from lapis_engine.devices import debugcon, ioapic, pic
from lapis_engine.errors import EntryError, UnmappedError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm import address_map

APIC, IOAPIC, HOLE = 0xFEE0_0020, 0xFEC0_0000, 0xD000_0000


@pytest.mark.parametrize(
    ("gpa", "name"), [(APIC, "local APIC"), (IOAPIC, "ioapic"), (0x1000, None)]
)
def test_the_map_a_touch_and_kernemu_agree(gpa: int, name: str | None) -> None:
    machine = Rig().machine
    server = address_map.mmio(machine.vm, machine.vcpus[0], gpa)
    assert server is not None
    assert address_map.device_name(server) == name
    touched = machine.touch(0, gpa, 4, physical=True)
    assert [access.device for access in touched.accesses] == ([name] if name else [])
    if name:
        assert machine.kernemu_read(0, gpa, 4) == touched.accesses[0].value
    else:
        with pytest.raises(EntryError, match="none of the devices"):
            machine.kernemu_read(0, gpa, 4)


def test_nobody_serves_a_hole() -> None:
    machine = Rig().machine
    assert address_map.mmio(machine.vm, machine.vcpus[0], HOLE) is None
    with pytest.raises(UnmappedError):
        machine.touch(0, HOLE, 4, physical=True)
    with pytest.raises(EntryError):
        machine.kernemu_write(0, HOLE, 4, 0)
    assert machine.vm.buses[0].read(HOLE, 4) is None


@pytest.mark.parametrize("mmio_off", ["memory", "ones"])
def test_an_apic_that_is_off_is_met_where_the_profile_says_so(
    mmio_off: Literal["memory", "ones"],
) -> None:
    machine = Rig().machine
    machine.vm.profile = replace(machine.vm.profile, mmio_off=mmio_off)
    vcpu = machine.vcpus[0]
    vcpu.apic.apicbase &= ~0x800
    server = address_map.mmio(machine.vm, vcpu, APIC)
    assert server == (None if mmio_off == "memory" else 0x20)
    value = machine.vm.buses[0].read(APIC, 4)
    assert value == (None if mmio_off == "memory" else 0xFFFF_FFFF)


def test_each_vcpu_meets_its_own_apic_only() -> None:
    machine = Rig(2).machine
    machine.vcpus[1].apic.apicbase = 0xD000_0800
    assert address_map.mmio(machine.vm, machine.vcpus[0], HOLE + 0x30) is None
    assert address_map.mmio(machine.vm, machine.vcpus[1], HOLE + 0x30) == 0x30


def test_a_device_is_the_pic_by_its_role_and_not_by_its_name() -> None:
    pair, apic, console = pic.device(), ioapic.device(SDM), debugcon.device()
    pair.name, apic.name, console.name = "8259", "82093aa", "pic"
    config = MachineConfig(1, MEMORY)
    plan = flat.load(b"\xf4", memory_bytes=MEMORY)
    machine = Machine(config, plan, [console, apic, pair])
    assert machine.vm.pic is pair.state
    assert machine.vm.ioapic is apic.state
    assert machine.kernemu_read(0, IOAPIC, 4) == 0
    plain = Machine(config, plan, [debugcon.device()])
    assert (plain.vm.pic, plain.vm.ioapic) == (None, None)


@pytest.mark.parametrize("size", [-1, 0, 4097, 1 << 62])
def test_a_touch_of_no_bytes_or_too_many_is_refused(size: int) -> None:
    machine = Rig().machine
    for physical in (True, False):
        with pytest.raises(EntryError, match="1 to 4096 at once"):
            machine.touch(0, 0x1000, size, physical=physical)
