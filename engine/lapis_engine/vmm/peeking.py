"""What the engine would answer to a request, found out without touching anything.

A device is asked on a copy of its state, unless it says itself what a read would give
(`Device.peek`). Of what a plug-in brought only that, and what is `plain`, is asked: its
code is not run to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import access as apic
from lapis_engine.apic import state as apic_state
from lapis_engine.copies import clone
from lapis_engine.cpu.breach import Breach
from lapis_engine.devices.device import Device
from lapis_engine.vmm import address_map, clock, msr

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def peek(vm: Vm, vcpu: Vcpu, kind: str, address: int, size: int) -> int | None:
    """Return what `vcpu` would read there, past all traps.

    None where nobody is, where a read is refused or comes to a fault, and where it
    cannot be known. `kind` is that of a request, `size` is in bytes.
    """
    match kind:
        case "msr":
            return _msr(vm, vcpu, address)
        case "inout":
            device = vm.ports.find(address)
            if device is not None:
                return _device(device, address, size, vm.now)
            return _ones(size) if vm.float_ports else None
        case "mmio":
            return _mmio(vm, vcpu, address, size)
        case _:
            return None


def _ones(size: int) -> int:
    return (1 << 8 * size) - 1


def _mmio(vm: Vm, vcpu: Vcpu, gpa: int, size: int) -> int | None:
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None:
        return _ones(size) if vm.float_mmio else None
    if isinstance(server, int):
        return _apic(vm, vcpu, server, size)
    if isinstance(server, Device):
        return _device(server, gpa, size, vm.now)
    return int.from_bytes(server.read(gpa, size), "little")


def _apic(vm: Vm, vcpu: Vcpu, offset: int, size: int) -> int | None:
    if apic_state.mode(vcpu.apic) != "xapic":
        return _ones(size) if vm.profile.mmio_off == "ones" else 0
    if apic.refusal(offset, size, vm.profile, write=False) is not None:
        return None
    copy = clone(vcpu.apic)  # reading what is write-only is an error that is kept
    value, _ = apic.read_mmio(copy, offset, size, vm.now, vm.profile)
    return value


def _device(device: Device, address: int, size: int, now: int) -> int | None:
    if device.peek is not None:
        return device.peek(device.state, address, size, now)
    if device.plain is not None:
        plain = device.plain(device.state, address, size, now)
        if plain is not None:
            return plain.at(now)
    if device.plugin is not None:
        return None
    value = device.access.read(clone(device.state), address, size, now)
    return value if value >= 0 else None


def _msr(vm: Vm, vcpu: Vcpu, number: int) -> int | None:
    if not msr.is_known(number, vm.profile, vm.cpu.model):
        return None
    tsc, model = clock.tsc(vm), vm.cpu.model
    value = msr.read(vcpu, number, vm.now, tsc, vm.profile, model)
    return None if isinstance(value, Breach) else value
