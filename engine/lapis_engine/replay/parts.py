"""What the state of a machine consists of, beside memory and the registers' bytes.

Each part is an object whose named fields hold plain data: numbers, text, bytes, and
tuples, lists, dicts and dataclasses of these.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.copies import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

VM: Final = (
    "now", "panic", "debug_cpus", "startup_cpus", "boot_ipi_due", "exit_due",
    "consoles", "suspended", "_faults", "watch_at", "rebooted_at", "unknown",
)  # fmt: skip
VM_ELSEWHERE: Final = (
    "profile", "note", "float_ports", "float_mmio", "tsc_hz", "cpu", "costs", "core",
    "memory", "ports", "mmio", "devices", "pic", "ioapic", "hpet", "pirq", "vcpus",
    "buses", "spinup",
    "interference", "traps", "power_on", "attention", "timers", "entered", "on_round",
    "on_watch", "on_written", "on_msr", "heard_ports", "longest", "owed", "printing",
    "tally", "writes",
)  # fmt: skip
"""Fields of `Vm` that do not change, are parts of their own, mean nothing between two
runs, or follow from the others."""
SCHEDULE: Final = ("policy", "only", "quantum", "current", "_left")
VCPU_ELSEWHERE: Final = ("id", "regs", "linear", "apic", "vie", "stopped_at")
"""`stopped_at` is the debugger's."""
RAW: Final = frozenset({"kept", "told"})
"""Fields of parts that no hash is over, as they follow from the others: `kept` holds
the processor's raw bytes, which mean nothing on another host; `told` says of what the
lints found what the events said."""


class Part(NamedTuple):
    """An object that holds state, and the names of the fields that do."""

    name: str
    """What its fields are called by: `vcpu1.apic`, `pit`, `vm`."""
    holder: Any
    fields: tuple[str, ...]


def parts(machine: Machine) -> Iterator[Part]:
    """Yield every part, always in the same order."""
    vm = machine.vm
    for vcpu in vm.vcpus:
        name = f"vcpu{vcpu.id}"
        yield Part(name, vcpu, _own_names(vcpu))
        yield Part(f"{name}.apic", vcpu.apic, names_of(vcpu.apic))
        yield Part(f"{name}.vie", vcpu.vie, names_of(vcpu.vie))
    yield Part("vm", vm, VM)
    yield Part("vm.spinup", vm.spinup, names_of(vm.spinup))
    yield Part("vm.interference", vm.interference, names_of(vm.interference))
    yield Part("vm.traps", vm.traps, names_of(vm.traps))
    yield Part("schedule", machine.schedule, SCHEDULE)
    yield Part("lints", machine.lints.state, names_of(machine.lints.state))
    yield Part("events", machine.log, ("next_seq",))
    for device in vm.devices:
        if is_dataclass(device.state):
            yield Part(device.name, device.state, names_of(device.state))


def _own_names(vcpu: Vcpu) -> tuple[str, ...]:
    """Return the fields of a vCPU that are state and no parts of their own."""
    if not _OWN:
        _OWN.extend(name for name in names_of(vcpu) if name not in VCPU_ELSEWHERE)
    return tuple(_OWN)


_OWN: Final[list[str]] = []
