"""The machine as one vCPU's instruction sees it: its own APIC page, devices, ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import access as apic
from lapis_engine.apic import state as apic_state
from lapis_engine.vmm import fabric

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

APIC_PAGE = 0x1000


class Bus:
    """Serves MMIO and ports for one vCPU; None and False mean that nobody does."""

    __slots__ = ("_vcpu", "_vm")

    def __init__(self, vm: Vm, vcpu: Vcpu) -> None:
        """Look at `vm` from `vcpu`."""
        self._vm = vm
        self._vcpu = vcpu

    def _apic_offset(self, gpa: int) -> int | None:
        state = self._vcpu.apic
        offset = gpa - apic_state.base(state)
        if 0 <= offset < APIC_PAGE and apic_state.mode(state) == "xapic":
            return offset
        return None

    def read(self, gpa: int, size: int) -> int | None:
        """Read `size` bytes at `gpa` from the APIC or a device."""
        vm = self._vm
        offset = self._apic_offset(gpa)
        if offset is not None:
            return apic.read_mmio(self._vcpu.apic, offset, size, vm.now, vm.profile)
        device = vm.mmio.find(gpa)
        if device is None:
            return None
        vm.timers_moved |= device.timer is not None
        return device.access.read(device.state, gpa, size, vm.now)

    def write(self, gpa: int, size: int, value: int) -> bool:
        """Write `size` bytes at `gpa`; writes to ROM are dropped."""
        vm = self._vm
        offset = self._apic_offset(gpa)
        if offset is not None:
            state = self._vcpu.apic
            fabric.route(
                vm, apic.write_mmio(state, offset, size, value, vm.now, vm.profile)
            )
            return True
        device = vm.mmio.find(gpa)
        if device is not None:
            signals = device.access.write(device.state, gpa, size, value, vm.now)
            fabric.signal(vm, signals, self._vcpu.id)
            vm.timers_moved |= device.timer is not None
            return True
        region = vm.memory.region(gpa)
        return region is not None and region.rom

    def port_in(self, port: int, size: int) -> int | None:
        """IN from a device; an ISA bus that floats reads all ones."""
        vm = self._vm
        device = vm.ports.find(port)
        if device is not None:
            vm.timers_moved |= device.timer is not None
            return device.access.read(device.state, port, size, vm.now)
        return (1 << (8 * size)) - 1 if vm.float_ports else None

    def port_out(self, port: int, size: int, value: int) -> bool:
        """OUT to a device."""
        vm = self._vm
        device = vm.ports.find(port)
        if device is None:
            return vm.float_ports
        signals = device.access.write(device.state, port, size, value, vm.now)
        fabric.signal(vm, signals, self._vcpu.id)
        vm.timers_moved |= device.timer is not None
        return True
