"""The machine as one vCPU's instruction sees it: its own APIC page, devices, ports.

Every access may raise `HandlerRefused`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import access as apic
from lapis_engine.apic import state as apic_state
from lapis_engine.devices.device import Device, Refused
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import address_map, fabric, written
from lapis_engine.vmm.traps import TrapState, hits

if TYPE_CHECKING:
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


class Bus:
    """Serves MMIO and ports for one vCPU; None and False mean that nobody does."""

    __slots__ = ("_context", "_traps", "_vcpu", "_vm")

    def __init__(
        self, vm: Vm, vcpu: Vcpu, traps: TrapState, context: Context = "normal"
    ) -> None:
        """Look at `vm` from `vcpu`, as `context` does.

        `traps` are `vm.traps` for the guest, whom they are for; others bring none.
        """
        self._vm = vm
        self._vcpu = vcpu
        self._traps = traps
        self._context = context

    def _is_trapped(self, gpa: int, size: int) -> bool:
        if not hits(self._traps.mmio, gpa, size):
            return False
        if self._vm.profile.lapic_trappable:
            return True
        return not isinstance(address_map.mmio(self._vm, self._vcpu, gpa), int)

    def _apic_read(self, offset: int, size: int) -> int:
        vm, state = self._vm, self._vcpu.apic
        if apic_state.mode(state) != "xapic":
            return (1 << (8 * size)) - 1 if vm.profile.mmio_off == "ones" else 0
        value, outcome = apic.read_mmio(state, offset, size, vm.now, vm.profile)
        if outcome:
            fabric.route(vm, outcome, self._context)
        return value

    def _apic_write(self, offset: int, size: int, value: int) -> None:
        vm, state = self._vm, self._vcpu.apic
        if apic_state.mode(state) != "xapic":
            return
        name = written.REGISTERS.get(offset) if size == 4 else None
        was = None if name is None else written.before(state)
        outcome = apic.write_mmio(state, offset, size, value, vm.now, vm.profile)
        if name is not None and was is not None:
            vm.wrote(self._vcpu, written.timer(state.vcpu), name, value, was)
        refused = fabric.route(vm, outcome, self._context)
        if refused is not None:
            raise HandlerRefused(refused.text)

    def read(self, gpa: int, size: int) -> int | None:
        """Read `size` bytes at `gpa` from the APIC, a device or ROM."""
        if self._traps.mmio and self._is_trapped(gpa, size):
            return None
        server = address_map.mmio(self._vm, self._vcpu, gpa)
        if server is None:
            return (1 << (8 * size)) - 1 if self._vm.float_mmio else None
        if isinstance(server, int):
            return self._apic_read(server, size)
        if isinstance(server, Device):
            return self._read(server, gpa, size)
        return int.from_bytes(server.read(gpa, size), "little")

    def _read(self, device: Device, address: int, size: int) -> int:
        vm = self._vm
        vm.timers.moved |= device.timer is not None
        value = device.access.read(device.state, address, size, vm.now)
        if value < 0:
            raise HandlerRefused(f"{device.name}: read of {size} bytes")
        return value

    def _write(self, device: Device, address: int, size: int, value: int) -> None:
        vm = self._vm
        pin = None
        if device.state is vm.ioapic:
            pin = written.selected(vm.ioapic, address)
        was = 0 if pin is None else pin[1].entry
        signals = device.access.write(device.state, address, size, value, vm.now)
        if pin is not None:
            key, now = written.pin(pin[0]), pin[1].entry
            vm.wrote(self._vcpu, key, written.ENTRY, now, (was, False))
        for item in signals:
            if isinstance(item, Refused):
                raise HandlerRefused(f"{device.name}: {item.why}")
        fabric.signal(vm, signals, self._vcpu.id)
        # Who is wired may have handed it on, as the PCI host does to a function.
        vm.timers.moved |= device.timer is not None or device.wire is not None

    def write(self, gpa: int, size: int, value: int) -> bool:
        """Write `size` bytes at `gpa`; writes to ROM are dropped."""
        if self._traps.mmio and self._is_trapped(gpa, size):
            return False
        vm = self._vm
        server = address_map.mmio(vm, self._vcpu, gpa)
        if isinstance(server, int):
            self._apic_write(server, size, value)
        elif isinstance(server, Device):
            self._write(server, gpa, size, value)
        elif vm.memory.write_beneath(gpa, value.to_bytes(size, "little")):
            return True
        else:
            return vm.float_mmio if server is None else server.rom
        return True

    def port_in(self, port: int, size: int) -> int | None:
        """IN from a device; an ISA bus that floats reads all ones."""
        vm = self._vm
        if self._traps.port and hits(self._traps.port, port, size):
            return None
        device = vm.ports.find(port)
        if device is not None:
            return self._read(device, port, size)
        return (1 << (8 * size)) - 1 if vm.float_ports else None

    def port_out(self, port: int, size: int, value: int) -> bool:
        """OUT to a device."""
        vm = self._vm
        if self._traps.port and hits(self._traps.port, port, size):
            return False
        device = vm.ports.find(port)
        if device is None:
            return vm.float_ports
        self._write(device, port, size, value)
        return True


class PaidBus(Bus):
    """The same for a guest whose accesses cost something: adds up what it owes.

    What the user answers is added by `emulation.enter`.
    """

    __slots__ = ()

    def _owe_mmio(self, gpa: int) -> None:
        vm = self._vm
        server = address_map.mmio(vm, self._vcpu, gpa)
        if server is None or isinstance(server, (int, Device)):
            vm.owed += vm.costs.mmio

    def read(self, gpa: int, size: int) -> int | None:
        """Read `size` bytes at `gpa` from the APIC, a device or ROM."""
        value = super().read(gpa, size)
        if value is not None:
            self._owe_mmio(gpa)
        return value

    def write(self, gpa: int, size: int, value: int) -> bool:
        """Write `size` bytes at `gpa`; writes to ROM are dropped."""
        taken = super().write(gpa, size, value)
        if taken:
            self._owe_mmio(gpa)
        return taken

    def port_in(self, port: int, size: int) -> int | None:
        """IN from a device; an ISA bus that floats reads all ones."""
        value = super().port_in(port, size)
        if value is not None:
            self._vm.owed += self._vm.costs.port
        return value

    def port_out(self, port: int, size: int, value: int) -> bool:
        """OUT to a device."""
        taken = super().port_out(port, size, value)
        if taken:
            self._vm.owed += self._vm.costs.port
        return taken


def untrapped(vm: Vm, vcpu: Vcpu, context: Context) -> Bus:
    """Return a view of `vcpu`'s that goes past the traps: for all but the guest."""
    return Bus(vm, vcpu, TrapState(), context)
