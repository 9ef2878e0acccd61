"""Whether the state of a machine is all there when it is put back.

A device of a plug-in may hold what no checkpoint can: then going back, and replaying
what was recorded, would come to something else. It is better told before.
"""

from __future__ import annotations

import dis
import inspect
from dataclasses import dataclass, fields, is_dataclass
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.copies import clone, is_frozen
from lapis_engine.memory.dma import BusMaster
from lapis_engine.replay.digest import field_lines
from lapis_engine.replay.parts import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.machine import Machine

ATOMS: Final = frozenset({int, bool, str, bytes, bytearray, type(None)})
DEEPEST: Final = 20
"""Records within records; a ring has no end."""
WIRED: Final = (BusMaster, MappingProxyType)
"""What `Device.wire` brings: the machine's own, which it puts back by itself."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A part of the state that does not come back as it was."""

    part: str
    field: str
    """Empty where it is all of it."""
    code: str
    """no-record, frozen, no-data, beside or changes."""
    what: str
    """The type of the value at fault."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        where = f"{self.part}.{self.field}" if self.field else self.part
        match self.code:
            case "no-record":
                why = f"its state is of type {self.what}, which is no dataclass"
            case "frozen":
                why = f"its state is a frozen {self.what}, which cannot be put back"
            case "no-data":
                why = (
                    f"it holds a {self.what}; only numbers, text, bytes, and tuples, "
                    f"lists, dicts and dataclasses of these can be put back"
                )
            case "beside":
                why = (
                    f"its device keeps it beside its state ({self.what}), and nothing "
                    f"puts it back; what never changes may be in a frozen dataclass"
                )
            case _:
                why = "it is another when it is put back"
        return f"the state of {where!r} cannot be recorded: {why}"


def unfit(machine: Machine) -> Unfit | None:
    """Return the first part of the state that does not round-trip, or None."""
    for device in machine.vm.devices:
        state = device.state
        if state is not None and not is_dataclass(state):
            return Unfit(device.name, "", "no-record", type(state).__name__)
        if state is not None and is_frozen(type(state)):
            return Unfit(device.name, "", "frozen", type(state).__name__)
        for where, value in _unwired(device):
            return Unfit(device.name, where, "beside", type(value).__name__)
    for part in parts(machine):
        for name in part.fields:
            value = getattr(part.holder, name)
            odd = _odd(value, DEEPEST)
            if odd is not None:
                return Unfit(part.name, name, "no-data", odd)
            before = field_lines(part, name)
            setattr(part.holder, name, clone(value))
            is_same = field_lines(part, name) == before
            setattr(part.holder, name, value)  # whether it goes on or is refused
            if not is_same:
                return Unfit(part.name, name, "changes", type(value).__name__)
    return None


def _odd(value: Any, depth: int) -> str | None:
    """Return the type of the first thing within that is no plain data, or None."""
    if type(value) in ATOMS:
        return None
    if not depth:
        return "ring of records"
    if isinstance(value, dict):
        items = [*value.keys(), *value.values()]
    elif isinstance(value, (tuple, list)):
        items = list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        items = [getattr(value, each.name) for each in fields(value)]
    else:
        return type(value).__name__
    found = (_odd(item, depth - 1) for item in items)
    return next((each for each in found if each is not None), None)


def _unwired(device: Device) -> Iterator[tuple[str, object]]:
    """Yield what `_beside` does, but for what is connected to the machine."""
    if device.wire is None:
        yield from _beside(device)
    elif device.plugin is not None:  # ours keep nothing else (test_platform_pc_hostile)
        for where, value in _beside(device):
            if not isinstance(value, WIRED):
                yield where, value


def _beside(device: Device) -> Iterator[tuple[str, object]]:
    """Yield (name, value) of what the functions of a device keep for themselves.

    Only what is there already can be found, and no globals of a module.
    """
    for owner, verbs in (
        (device.access, ("read", "write")), (device.timer, ("deadline", "advance")),
    ):  # fmt: skip
        if owner is None:
            continue
        own: Any = inspect.unwrap(owner)  # type: ignore[arg-type] # of any object
        yield from _attributes(own)
        for verb in verbs:
            yield from _closed_over(getattr(own, verb))


def _attributes(owner: object) -> Iterator[tuple[str, object]]:
    """Yield what an object holds that could change, if it is no module or class."""
    if isinstance(owner, (ModuleType, type)):
        return
    slots = [name for kind in type(owner).__mro__ for name in _slots(kind)]
    held = {name: getattr(owner, name) for name in slots if hasattr(owner, name)}
    held |= getattr(owner, "__dict__", {})
    for name, value in held.items():
        if not callable(value) and not (is_frozen(type(owner)) and _is_fixed(value)):
            yield name, value


def _slots(kind: type) -> tuple[str, ...]:
    found = kind.__dict__.get("__slots__", ())
    return (found,) if isinstance(found, str) else tuple(found)


def _closed_over(verb: object) -> Iterator[tuple[str, object]]:
    """Yield what a function has from around it, and changes or could change."""
    function = verb.__func__ if isinstance(verb, MethodType) else verb
    if not isinstance(function, FunctionType):
        return
    names = function.__code__.co_freevars
    if not names:
        return
    stored = {
        each.argval for each in dis.get_instructions(function)
        if each.opname == "STORE_DEREF"
    }  # fmt: skip
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # it has nothing yet
            continue
        if name in stored or not (callable(value) or _is_fixed(value)):
            yield name, value


def _is_fixed(value: Any) -> bool:
    """Tell whether a value is plain and can never change."""
    if isinstance(value, tuple):
        return all(map(_is_fixed, value))
    if is_frozen(type(value)):
        return all(_is_fixed(getattr(value, each.name)) for each in fields(value))
    return type(value) in ATOMS and type(value) is not bytearray
