"""What parts of plug-ins must be; each check raises `TypeError` or `ValueError`."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from lapis_engine import events
from lapis_engine.boot.detect import Loader
from lapis_engine.boot.image import BootPlan
from lapis_engine.devices.device import Device, Range, RegisterName, Signal, Space, Wire
from lapis_engine.explain.fields import Explanation
from lapis_engine.lints.lint import SEVERITIES, Lint, Page
from lapis_engine.lints.state import Finding
from lapis_engine.profiles.catalog import SDM
from lapis_engine.profiles.switches import Profile
from lapis_sessions.apic_files.contents import Contents, Described
from lapis_sessions.extensions import (
    ApicFormat,
    Explainer,
    Exporter,
    Function,
    Pane,
    Platform,
    Role,
)
from lapis_sessions.registry import Argument, Command
from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import Signals
    from lapis_sessions.extensions import Row

ROLES = frozenset(get_args(Role))
EVENTS = frozenset(get_args(events.Event)) - {events.Linted}
"""What a lint may look at: its own findings are none of it."""
PLAIN = (int, str, bytes, type(None))
MOST_ROWS = 10_000
"""Rows of a pane."""


def instance(value: Any, kind: type, what: str = "") -> Any:
    """Return `value`, if it is a `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{what}{repr(value)[:80]} is no {kind.__name__}")
    return value


def _named(part: Any, kind: type, *functions: str, texts: tuple[str, ...] = ()) -> None:
    """Check a record: its kind, its name, and its fields that are called or shown."""
    instance(part, kind)
    name = instance(part.name, str, "the name ")
    if not name or name != " ".join(name.split()) or not name.isprintable():
        raise ValueError(f"{name!r} is no name")
    for field in functions:
        if not callable(getattr(part, field)):
            raise TypeError(f"{field} of {name!r} cannot be called")
    for field in texts:
        instance(getattr(part, field), str, f"{field} of {name!r}: ")


def command(part: Any) -> None:
    """Check a command."""
    _named(part, Command, "perform", "render", texts=("help",))
    for argument in part.arguments:
        instance(argument, Argument)
    for alias in part.aliases:
        instance(alias, str, "alias ")


def lint(part: Any) -> None:
    """Check a lint."""
    _named(part, Lint, texts=("text",))
    if part.severity not in SEVERITIES:
        raise ValueError(
            f"lint {part.name!r} is of severity {part.severity!r}, which is none of "
            f"{', '.join(SEVERITIES)}"
        )
    if part.page is not None:
        page = instance(part.page, Page, f"page of {part.name!r}: ")
        for field in fields(Page):
            words = getattr(page, field.name)
            instance(words, str, f"{field.name} of the page of {part.name!r}: ")
    if part.shared:
        raise ValueError(f"lint {part.name!r} is shared, which is for ours")
    for kind, rule in part.rules.items():
        if kind not in EVENTS:
            raise TypeError(f"lint {part.name!r} cannot look at {kind!r}")
        if not callable(rule):
            raise TypeError(f"a rule of {part.name!r} cannot be called")


def exporter(part: Any) -> None:
    """Check an exporter."""
    _named(part, Exporter, "write", texts=("text",))


def pane(part: Any) -> None:
    """Check a pane."""
    _named(part, Pane, "render", texts=("title",))
    for head in instance(part.fields, tuple, f"fields of {part.name!r}: "):
        instance(head, str, "head ")


def explainer(part: Any) -> None:
    """Check an explainer."""
    _named(part, Explainer, "explain")


def profile(part: Any) -> None:
    """Check a profile: each switch is of the kind that ours has."""
    _named(part, Profile, texts=("summary",))
    for field in fields(Profile):
        ours, value = getattr(SDM, field.name), getattr(part, field.name)
        if type(value) is not type(ours):
            raise TypeError(f"switch {field.name} of profile {part.name!r}: {value!r}")


def loader(part: Any) -> None:
    """Check a loader."""
    _named(part, Loader, "takes", "load")


def apic_format(part: Any) -> None:
    """Check a format of APIC files."""
    _named(part, ApicFormat, "takes", "read", texts=("text",))


def function(part: Any) -> None:
    """Check a function of conditions."""
    _named(part, Function, "call", texts=("text",))
    if not part.name.isidentifier():
        raise ValueError(f"{part.name!r} is no name of a function")


def folder(part: Any) -> None:
    """Check a folder of scenarios."""
    if not instance(part, Path).is_dir():
        raise ValueError(f"{str(part)!r} is no folder")


def device(part: Any) -> None:
    """Check a device."""
    _named(part, Device)
    if not is_dataclass(part.state) or isinstance(part.state, type):
        raise TypeError(f"the state of device {part.name!r} is no dataclass")
    for owner, verbs in (
        (part.access, ("read", "write")), (part.timer, ("deadline", "advance")),
    ):  # fmt: skip
        for verb in verbs if owner is not None else ():
            if not callable(getattr(owner, verb, None)):
                raise TypeError(f"device {part.name!r} has no {verb}")
    for where in (*part.ports, *part.mmio):
        instance(where, Range, f"address of device {part.name!r}: ")
    for each in instance(part.registers, tuple, f"registers of {part.name!r}: "):
        _register(part, each)
    if part.role is not None:
        raise ValueError(f"device {part.name!r} has role {part.role}, as one of ours")


def _register(device: Device, part: Any) -> None:
    """Check a name of a register: what it says, and that it is the device's."""
    register_name(part)
    ranges = device.ports if part.space == "port" else device.mmio
    if not any(part.first in where for where in ranges):
        raise ValueError(
            f"register {part.name!r} at {part.space} {part.first:#x} is not where "
            f"device {device.name!r} is"
        )


def register_name(part: Any) -> None:
    """Check a name of a register, wherever it is."""
    _named(part, RegisterName, texts=("text",))
    for field in ("first", "size", "rest"):
        instance(getattr(part, field), int, f"{field} of {part.name!r}: ")
    if part.space not in get_args(Space):
        raise ValueError(f"space of {part.name!r}: {part.space!r}")
    if part.access not in {"rw", "r", "w"}:
        raise ValueError(f"access of {part.name!r}: {part.access!r}")
    if part.explained is not None:
        instance(part.explained, str, f"explained of {part.name!r}: ")


def platform(part: Any) -> None:
    """Check a platform."""
    _named(part, Platform, "devices", texts=("text",))


# What the functions of parts return.


def devices(value: Any) -> list[Device]:
    """Check what a platform makes."""
    found = list(value)
    for each in found:
        device(each)
    return found


def result(value: Any) -> Any:
    """Check what a command returns: plain data that JSON can hold."""
    json.dumps(value)
    return value


def text(value: Any) -> str:
    """Check a text."""
    found: str = instance(value, str)
    return found


def explanation(value: Any) -> Explanation:
    """Check what an explainer returns."""
    found: Explanation = instance(value, Explanation)
    return found


def boot_plan(value: Any) -> BootPlan:
    """Check what a loader returns."""
    found: BootPlan = instance(value, BootPlan)
    return found


def contents(value: Any) -> Contents | Described:
    """Check what the reader of an APIC file returns."""
    if isinstance(value, Described):
        return value
    found: Contents = instance(value, Contents)
    return found


def piece(value: Any) -> bytes:
    """Check a piece of an export."""
    found: bytes = instance(value, bytes)
    return found


def rows(columns: int) -> Callable[[Any], tuple[Row, ...]]:
    """Return a check of what a pane of so many columns returns; 0 for free text.

    What has no glyph becomes a dot.
    """

    def check(value: Any) -> tuple[Row, ...]:
        found = tuple(tuple(_cell(cell) for cell in row) for row in value)
        if len(found) > MOST_ROWS:
            raise ValueError(f"{len(found)} rows: {MOST_ROWS} is the most")
        for row in found:
            if columns and len(row) != columns:
                raise ValueError(f"a row of {len(row)} cells under {columns} heads")
        return found

    return check


def _cell(cell: Any) -> Any:
    shown, role = cell
    instance(shown, str, "cell ")
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role")
    return visible(shown), role


def findings(name: str, value: Any) -> tuple[Finding, ...]:
    """Check what a rule of lint `name` returns."""
    found = (value,) if isinstance(value, Finding) else tuple(value or ())
    for each in found:
        instance(each, Finding)
        if each.name != name:
            raise ValueError(f"lint {name!r} reports for {each.name!r}")
        if type(each.vcpu) is not int:
            raise TypeError(f"vCPU {each.vcpu!r} of a finding is no number")
        instance(each.place, str, "place ")
        instance(each.text, str, "text ")
        for what, number in instance(each.values, tuple, "values "):
            instance(what, str, "the name of a value ")
            if type(number) is not int:
                raise TypeError(f"value {what!r} of a finding is {number!r}")
    return found


def signals(value: Any) -> Signals:
    """Check what a device returns."""
    found = tuple(value)
    for each in found:
        if not isinstance(each, get_args(Signal)):
            raise TypeError(f"{each!r} is no signal")
    return found


def register_names(value: Any) -> tuple[RegisterName, ...]:
    """Check what a device calls its registers at present."""
    found = tuple(value)
    for each in found:
        register_name(each)
    return found


def wires(value: Any) -> tuple[Wire, ...]:
    """Check what a device says that it holds up."""
    found = tuple(value)
    for each in found:
        if not isinstance(each, get_args(Wire)):
            raise TypeError(f"{each!r} is no wire")
        values = [getattr(each, field.name) for field in fields(each)]
        if not all(type(value) in {int, bool} for value in values):
            raise TypeError(f"{each!r} names no line by numbers")
    return found


def plain(value: Any, where: str = "it") -> Any:
    """Return `value`, if it is plain data that a checkpoint can hold."""
    if isinstance(value, PLAIN) and type(value) in {*PLAIN, bool}:
        return value
    if type(value) in {list, tuple}:
        for item in value:
            plain(item, where)
    elif type(value) is dict:
        if len({type(key) for key in value}) > 1:
            raise TypeError(f"{where} has keys of more than one kind")
        for key, item in value.items():
            plain(key, where)
            plain(item, where)
    else:
        raise TypeError(f"{where} holds {value!r}, which is no plain data")
    return value
