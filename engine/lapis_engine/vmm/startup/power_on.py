"""Starting the machine again after a reset, where it does not stop for one.

vCPUs, their APICs and the devices are as they were when the machine was made, and what
was on its way between them is gone. RAM keeps what it holds, as over a warm reset of a
PC (firmware and crash kernels look there for what the last start left), and the image
is put back to where it was loaded, as QEMU does. ROM and flash keep what they hold, and
so does what a battery feeds. Time goes on, and the time-stamp counters begin at 0. The
user's breakpoints, rules and traps stay.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.copies import clone
from lapis_engine.events import Rebooted
from lapis_engine.units import NS
from lapis_engine.vmm.power import RESETS, PowerOn
from lapis_engine.vmm.run_state import SpinupState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.boot.image import BootPlan
    from lapis_engine.vmm.vm import Vm

VCPU_ELSEWHERE: Final = frozenset({"id", "regs", "linear", "apic", "vie", "retired"})
"""Fields of a vCPU that are parts of their own, or go on."""
VM: Final = ("debug_cpus", "startup_cpus", "boot_ipi_due", "exit_due", "suspended")


def keep(vm: Vm, plan: BootPlan) -> PowerOn:
    """Return what `again` needs, of a machine that has not run yet."""
    return PowerOn(
        tuple(vcpu.regs.context.state_bytes() for vcpu in vm.vcpus),
        tuple(clone(_values(*each)) for each in _holders(vm)),
        {name: getattr(vm, name) for name in VM},
        plan,
    )


def is_due(vm: Vm) -> bool:
    """Tell whether what suspended the machine is to start it again.

    A reset that comes before any instruction has retired since the last one would go
    on for ever, and suspends.
    """
    if vm.power_on is None or vm.suspended is None or vm.suspended.how not in RESETS:
        return False
    return _retired(vm) != vm.rebooted_at


def again(vm: Vm) -> None:
    """Start the machine again, which `is_due`."""
    kept, cause = vm.power_on, vm.suspended
    assert kept is not None, "it stops for a reset"
    assert cause is not None, "nothing asked for a reset"
    vm.core.answers.forget()
    vm.note(Rebooted(cause.source, cause.how, cause.why))
    vm.rebooted_at = _retired(vm)
    for blob in kept.plan.blobs:
        if not blob.rom:
            vm.memory.place(blob.gpa, blob.data)
    for (holder, _), values in zip(_holders(vm), kept.values, strict=True):
        for name, value in clone(values).items():
            setattr(holder, name, value)
    for name, value in kept.vm.items():
        setattr(vm, name, value)
    vm.writes.clear()
    vm.spinup.request = None
    vm.spinup.running = SpinupState().running
    vm.interference.held.clear()
    for vcpu, raw in zip(vm.vcpus, kept.registers, strict=True):
        vcpu.regs.context.load_bytes(raw)
        vcpu.tsc_offset = -(vm.now * vm.tsc_hz // NS)
    vm.map_anew()
    vm.timers.moved = vm.attention.kick = True


def _holders(vm: Vm) -> Iterator[tuple[Any, frozenset[str]]]:
    """Yield what has fields to put back, and which of them to leave."""
    for vcpu in vm.vcpus:
        yield vcpu, VCPU_ELSEWHERE
        yield vcpu.apic, frozenset()
        yield vcpu.vie, frozenset()
    for device in vm.devices:
        if is_dataclass(device.state):
            yield device.state, device.kept


def _values(holder: Any, elsewhere: frozenset[str]) -> dict[str, Any]:
    names = [each.name for each in fields(holder) if each.name not in elsewhere]
    return {name: getattr(holder, name) for name in names}


def _retired(vm: Vm) -> int:
    return sum(vcpu.retired for vcpu in vm.vcpus)
