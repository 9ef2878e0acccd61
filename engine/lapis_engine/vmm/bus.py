"""The machine as one vCPU's instruction sees it: its own APIC page, devices, ports.

Every access may raise `HandlerRefused`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import access as apic
from lapis_engine.apic import state as apic_state
from lapis_engine.devices.device import Refused
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import fabric, traps

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

APIC_PAGE = 0x1000


class Bus:
    """Serves MMIO and ports for one vCPU; None and False mean that nobody does."""

    __slots__ = ("_vcpu", "_vm", "untrapped")

    def __init__(self, vm: Vm, vcpu: Vcpu) -> None:
        """Look at `vm` from `vcpu`."""
        self._vm = vm
        self._vcpu = vcpu
        self.untrapped = False
        """Devices are reached past the traps, which are for the guest's accesses."""

    def _is_trapped(self, gpa: int, size: int) -> bool:
        vm = self._vm
        if self.untrapped or not traps.hits(vm.traps.mmio, gpa, size):
            return False
        return vm.profile.lapic_trappable or self._apic_offset(gpa) is None

    def _is_port_trapped(self, port: int, size: int) -> bool:
        return not self.untrapped and traps.hits(self._vm.traps.port, port, size)

    def _apic_offset(self, gpa: int) -> int | None:
        """Return where in its page the APIC is met, or None when it is not there."""
        state = self._vcpu.apic
        offset = gpa - apic_state.base(state)
        if not 0 <= offset < APIC_PAGE:
            return None
        is_there = apic_state.mode(state) == "xapic"
        return offset if is_there or self._vm.profile.mmio_off != "memory" else None

    def _apic_read(self, offset: int, size: int) -> int:
        vm, state = self._vm, self._vcpu.apic
        if apic_state.mode(state) != "xapic":
            return (1 << (8 * size)) - 1 if vm.profile.mmio_off == "ones" else 0
        value, outcome = apic.read_mmio(state, offset, size, vm.now, vm.profile)
        if outcome:
            fabric.route(vm, outcome)
        return value

    def _apic_write(self, offset: int, size: int, value: int) -> None:
        vm, state = self._vm, self._vcpu.apic
        if apic_state.mode(state) != "xapic":
            return
        outcome = apic.write_mmio(state, offset, size, value, vm.now, vm.profile)
        refused = fabric.route(vm, outcome)
        if refused:
            raise HandlerRefused(refused)

    def read(self, gpa: int, size: int) -> int | None:
        """Read `size` bytes at `gpa` from the APIC, a device or ROM."""
        vm = self._vm
        if vm.traps.mmio and self._is_trapped(gpa, size):
            return None
        offset = self._apic_offset(gpa)
        if offset is not None:
            return self._apic_read(offset, size)
        device = vm.mmio.find(gpa)
        if device is not None:
            return self._read(device, gpa, size)
        region = vm.memory.region(gpa)
        return (
            None if region is None else int.from_bytes(region.read(gpa, size), "little")
        )

    def _read(self, device: Device, address: int, size: int) -> int:
        vm = self._vm
        vm.timers_moved |= device.timer is not None
        value = device.access.read(device.state, address, size, vm.now)
        if value < 0:
            raise HandlerRefused(f"{device.name}: read of {size} bytes")
        return value

    def _write(self, device: Device, address: int, size: int, value: int) -> None:
        vm = self._vm
        signals = device.access.write(device.state, address, size, value, vm.now)
        for item in signals:
            if isinstance(item, Refused):
                raise HandlerRefused(f"{device.name}: {item.why}")
        fabric.signal(vm, signals, self._vcpu.id)
        vm.timers_moved |= device.timer is not None

    def write(self, gpa: int, size: int, value: int) -> bool:
        """Write `size` bytes at `gpa`; writes to ROM are dropped."""
        vm = self._vm
        if vm.traps.mmio and self._is_trapped(gpa, size):
            return False
        offset = self._apic_offset(gpa)
        if offset is not None:
            self._apic_write(offset, size, value)
            return True
        device = vm.mmio.find(gpa)
        if device is not None:
            self._write(device, gpa, size, value)
            return True
        region = vm.memory.region(gpa)
        return region is not None and region.rom

    def port_in(self, port: int, size: int) -> int | None:
        """IN from a device; an ISA bus that floats reads all ones."""
        vm = self._vm
        if vm.traps.port and self._is_port_trapped(port, size):
            return None
        device = vm.ports.find(port)
        if device is not None:
            return self._read(device, port, size)
        return (1 << (8 * size)) - 1 if vm.float_ports else None

    def port_out(self, port: int, size: int, value: int) -> bool:
        """OUT to a device."""
        vm = self._vm
        if vm.traps.port and self._is_port_trapped(port, size):
            return False
        device = vm.ports.find(port)
        if device is None:
            return vm.float_ports
        self._write(device, port, size, value)
        return True
