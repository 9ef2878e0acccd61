"""Whether the state of a machine is all there when it is put back.

A device of a plug-in may hold what no checkpoint can: then going back, and replaying
what was recorded, would come to something else. It is better told before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from lapis_engine.replay.digest import field_lines
from lapis_engine.replay.parts import clone, parts

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

ATOMS = frozenset({int, bool, str, bytes, bytearray, type(None)})
DEEPEST = 20
"""Records within records; a ring has no end."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A part of the state that does not come back as it was."""

    part: str
    field: str
    """Empty where it is all of it."""
    code: str
    """no-record, no-data or changes."""
    what: str
    """The type of the value at fault."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        where = f"{self.part}.{self.field}" if self.field else self.part
        match self.code:
            case "no-record":
                why = f"its state is of type {self.what}, which is no dataclass"
            case "no-data":
                why = (
                    f"it holds a {self.what}; only numbers, text, bytes, and tuples, "
                    f"lists, dicts and dataclasses of these can be put back"
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
    for part in parts(machine):
        for name in part.fields:
            value = getattr(part.holder, name)
            odd = _odd(value, DEEPEST)
            if odd is not None:
                return Unfit(part.name, name, "no-data", odd)
            before = field_lines(part, name)
            setattr(part.holder, name, clone(value))
            if field_lines(part, name) != before:
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
