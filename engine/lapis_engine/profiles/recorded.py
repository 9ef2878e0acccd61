"""A profile as it was when something was recorded under it.

The switches that were recorded win over what the profile says today; one that did not
exist then has the value that stands for how it was before.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, Literal, get_args, get_origin, get_type_hints

from lapis_engine.errors import ConfigError
from lapis_engine.profiles.switches import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = bool | int | str
OTHER: Final = frozenset({"name", "summary"})
"""Fields of a profile that are no switch, and yet in recordings."""


@dataclass(frozen=True, slots=True)
class Change:
    """A switch that the profile of this name sets otherwise today."""

    switch: str
    was: Value
    now: Value

    @property
    def text(self) -> str:
        """The change in words."""
        return f"switch {self.switch} was {self.was!r} and is {self.now!r}"


def recorded(name: str, switches: Mapping[str, Value]) -> Profile:
    """Return the profile that was recorded as `name` with these switches.

    Raises `ConfigError` for a switch that does not exist, as of a newer Lapis, and for
    a value that it cannot have.
    """
    known = {each.name: each for each in fields(Profile) if each.metadata}
    strange = sorted(switches.keys() - known.keys() - OTHER)
    if strange:
        raise ConfigError(
            f"its profile has switches that are not known here, of a newer Lapis: "
            f"{', '.join(repr(each[:40]) for each in strange[:5])}"
        )
    values: dict[str, Value] = {}
    types = get_type_hints(Profile)
    for switch, declared in known.items():
        values[switch] = switches.get(switch, declared.metadata["before"])
        _check(switch, values[switch], types[switch])
    summary = str(switches.get("summary", "as recorded"))
    return replace(Profile(name, summary), **values)  # type: ignore[arg-type] # checked


def _check(switch: str, value: Value, wanted: object) -> None:
    choices = get_args(wanted) if get_origin(wanted) is Literal else None
    if choices is not None and value not in choices:
        known = ", ".join(map(repr, choices))
        raise ConfigError(
            f"switch {switch} is {value!r:.40} and must be one of {known}"
        )
    if choices is None and type(value) is not wanted:
        name = getattr(wanted, "__name__", str(wanted))
        raise ConfigError(
            f"switch {switch} is {value!r:.40} and must be of type {name}"
        )


def changes(was: Profile, now: Profile) -> list[Change]:
    """Return the switches in which two profiles differ."""
    found = []
    for each in fields(Profile):
        old, new = getattr(was, each.name), getattr(now, each.name)
        if each.metadata and old != new:
            found.append(Change(each.name, old, new))
    return found
