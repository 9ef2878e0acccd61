"""What the state of a machine consists of, beside memory and the registers' bytes.

Each part is an object whose named fields hold plain data: numbers, text, bytes, and
tuples, lists, dicts and dataclasses of these.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

VM: Final = (
    "now", "panic", "debug_cpus", "startup_cpus", "boot_ipi_due", "exit_due",
    "consoles", "suspended", "_faults", "watch_at", "rebooted_at",
)  # fmt: skip
VM_ELSEWHERE: Final = (
    "profile", "note", "float_ports", "tsc_hz", "cpu", "costs", "core", "memory",
    "ports", "mmio", "devices", "pic", "ioapic", "vcpus", "buses", "spinup",
    "interference", "traps", "power_on", "attention", "timers", "entered", "on_round",
    "on_watch", "owed",
)  # fmt: skip
"""Fields of `Vm` that do not change, are parts of their own, mean nothing between two
runs, or follow from the others."""
SCHEDULE: Final = ("policy", "only", "quantum", "current", "_left")
VCPU_ELSEWHERE: Final = ("id", "regs", "linear", "apic", "vie", "stopped_at")
"""`stopped_at` is the debugger's."""
RAW: Final = frozenset({"kept"})
"""Fields of parts that hold the processor's raw bytes. They follow from the others, and
mean nothing on another host."""


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
        yield Part(f"{name}.apic", vcpu.apic, _names(vcpu.apic))
        yield Part(f"{name}.vie", vcpu.vie, _names(vcpu.vie))
    yield Part("vm", vm, VM)
    yield Part("vm.spinup", vm.spinup, _names(vm.spinup))
    yield Part("vm.interference", vm.interference, _names(vm.interference))
    yield Part("vm.traps", vm.traps, _names(vm.traps))
    yield Part("schedule", machine.schedule, SCHEDULE)
    yield Part("lints", machine.lints.state, _names(machine.lints.state))
    yield Part("events", machine.log, ("next_seq",))
    for device in vm.devices:
        if is_dataclass(device.state):
            yield Part(device.name, device.state, _names(device.state))


def _names(holder: Any) -> tuple[str, ...]:
    kind = type(holder)
    found = _NAMES.get(kind)
    if found is None:
        found = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return found


_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {}
"""What is asked for again and again; classes do not change."""


def _own_names(vcpu: Vcpu) -> tuple[str, ...]:
    """Return the fields of a vCPU that are state and no parts of their own."""
    if not _OWN:
        _OWN.extend(name for name in _names(vcpu) if name not in VCPU_ELSEWHERE)
    return tuple(_OWN)


_OWN: Final[list[str]] = []


def clone(value: Any) -> Any:
    """Return a copy that shares nothing that could change."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is tuple:
        return tuple(copied(value))
    if kind is list:
        return copied(value)
    if kind is dict:
        return {key: clone(item) for key, item in value.items()}
    if kind is bytearray:
        return bytearray(value)
    if _is_record(kind):
        copy, names = object.__new__(kind), _names(value)
        items = copied([getattr(value, name) for name in names])
        for name, item in zip(names, items, strict=True):
            setattr(copy, name, item)
        return copy
    return value


def copied(values: Iterable[Any]) -> list[Any]:
    """Return a `clone` of each; most are numbers, which are their own."""
    return [each if type(each) in _ATOMS else clone(each) for each in values]


def _is_record(kind: type[Any]) -> bool:
    """Tell whether this is a class of records whose fields may change."""
    found = _RECORDS.get(kind)
    if found is None:
        found = _RECORDS[kind] = is_dataclass(kind) and not is_frozen(kind)
    return found


_RECORDS: Final[dict[type[Any], bool]] = {}


def is_frozen(kind: Any) -> bool:
    """Tell whether the fields of a class of records are given once."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


_ATOMS: Final = frozenset({int, str, bytes, bool, type(None)})
