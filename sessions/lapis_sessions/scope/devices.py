"""The state of devices by the names of its fields, as checkpoints have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lapis_sessions.scope import apics
from lapis_sessions.scope.lazy import Lazy

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device
    from lapis_engine.machine.machine import Machine


def named(machine: Machine) -> dict[str, Device]:
    """Return the devices whose name can be typed, by that name."""
    found: dict[str, Device] = {}
    for device in machine.vm.devices:
        name = device.name.replace("-", "_")
        if name.isidentifier():
            found.setdefault(name, device)
    return found


def of(device: Device) -> Any:
    """Return what a device holds: the IOAPIC and the 8259s by their registers."""
    match device.role:
        case "ioapic":
            return apics.ioapic(device.state)
        case "pic":
            return apics.pic(device.state)
        case _:
            return _plain(device.state)


def _plain(value: Any) -> Any:
    """Return a part of a state as expressions take it: copied, nothing that is live."""
    if is_dataclass(value):
        return Lazy(
            {field.name: partial(_field, value, field.name) for field in fields(value)}
        )
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return str(value)


def _field(value: Any, name: str) -> Any:
    return _plain(getattr(value, name))
