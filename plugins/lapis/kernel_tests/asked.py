"""What a test asks for by its marks, and by the options of the command line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lapis import exploring, opening
from lapis.kernel_tests.machine import KernelMachine
from lapis.options import FILES, MachineOptions
from lapis_engine.errors import ConfigError
from lapis_engine.profiles.catalog import profile_named
from lapis_plugins.host import discover
from lapis_sessions.exploring.jobs import DEFAULT_RUNS
from lapis_sessions.text.near import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from lapis.exploring import Exploration

MACHINE_LIMIT: Final = 10_000_000
"""Instructions of a run of `lapis_machine` that names no limit."""
OF_THE_SESSION: Final = ("guest", "seed", "answers", "plugins")
"""Options of `lapis.open` that do not describe the machine."""
NUMBERS: Final = ("cpus", "seed", "schedules", "limit", "jobs", "bound")
PATHS: Final = ("guest", *FILES)
"""Options that name files; `modules` and `plugins` do, too."""


def _keywords(function: Callable[..., Any]) -> set[str]:
    kinds = inspect.signature(function).parameters.values()
    return {each.name for each in kinds if each.kind is not each.VAR_KEYWORD}


ELSEWHERE: Final = {
    "record": "recordings go where --lapis-record says",
    "until": "what is looked for is said in the test, as lapis_schedules.never(...)",
    "never": "it is said in the test: lapis_schedules.never(...)",
    "always": "it is said in the test: lapis_schedules.always(...)",
    "lint": "it is said in the test: lapis_schedules.never('\"NAME\" in lints')",
    "go_on": "a test ends when it is decided",
}
"""What the functions take and a mark does not, and what to do instead."""
OF_A_MACHINE: Final = (_keywords(opening.open) | {"limit"}) - set(ELSEWHERE)
OF_SCHEDULES: Final = (
    _keywords(exploring.explore) | set(MachineOptions.__annotations__)
) - set(ELSEWHERE)
KNOWN: Final = OF_A_MACHINE | OF_SCHEDULES


@dataclass(frozen=True, slots=True)
class Asked:
    """The machine and the schedules that a test is about."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the mark, each as `lapis.open` or `lapis.explore` takes it."""

    @property
    def profile(self) -> str:
        """Whose behaviour the machine has."""
        return str(self.options.get("profile", "sdm"))

    @property
    def schedules(self) -> int:
        """Runs at most."""
        return int(self.options.get("schedules", DEFAULT_RUNS))

    @property
    def seed(self) -> int | None:
        """What was said of a seed."""
        return self.options.get("seed")

    @property
    def limit(self) -> int:
        """Instructions of a run of `lapis_machine`."""
        return int(self.options.get("limit", MACHINE_LIMIT))

    def open(self) -> KernelMachine:
        """Return the machine; raise `LapisError` as `lapis.open`."""
        if self.limit < 1:
            raise ConfigError(f"a limit of {self.limit} instructions: at least 1")
        said = self._of(OF_A_MACHINE)
        kept = {name: said.pop(name) for name in OF_THE_SESSION if name in said}
        said.pop("limit", None)
        machine = cast("MachineOptions", said)
        guest = kept.pop("guest", "")
        return KernelMachine(opening.built(guest, machine, **kept), self.limit)

    def check(self) -> None:
        """Raise `LapisError` when no schedule could be run, before one is."""
        few = {
            name: min(self.options.get(name, 1), 1) for name in ("schedules", "limit")
        }
        said = self._of(OF_SCHEDULES) | few
        exploring.explore(said.pop("guest", ""), **said)

    def explore(self, **conditions: str) -> Exploration:
        """Explore the schedules; raises as `lapis.explore`."""
        said: dict[str, Any] = {**self._of(OF_SCHEDULES), **conditions}
        return exploring.explore(said.pop("guest", ""), **said)

    def _of(self, names: Collection[str]) -> dict[str, Any]:
        return {name: v for name, v in self.options.items() if name in names}


def asked(
    marks: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], folder: Path
) -> Asked:
    """Put together what marks say; raise `ConfigError` for what none can say.

    Args:
        marks: Positional and named arguments, those that go before others last.
        folder: Of the test's file, where its files are looked for first.
    """
    options: dict[str, Any] = {}
    for words, named in marks:
        if len(words) > 1:
            raise ConfigError(
                f"the mark lapis takes the guest without a name, and nothing else: "
                f"{words[1]!r} needs one"
            )
        options |= dict(zip(("guest",), words, strict=False)) | dict(named)
    for name, value in options.items():
        _check(name, value)
    return Asked({n: _placed(n, value, folder) for n, value in options.items()})


def _check(name: str, value: object) -> None:
    if name in ELSEWHERE:
        raise ConfigError(f"the mark lapis has no {name!r}: {ELSEWHERE[name]}")
    if name not in KNOWN:
        near = nearest(name, sorted(KNOWN))
        hint = (
            f"did you mean {near!r}?" if near else f"it has {', '.join(sorted(KNOWN))}"
        )
        raise ConfigError(f"the mark lapis has no {name!r}; {hint}")
    if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int)):
        raise ConfigError(f"the mark lapis: {name}={value!r} is no whole number")
    if name in PATHS and not isinstance(value, str | Path):
        raise ConfigError(f"the mark lapis: {name}={value!r} is no name of a file")
    if name in {"modules", "plugins", "answers"} and isinstance(value, str):
        raise ConfigError(f"the mark lapis: {name}={value!r} is to be a list")


def _placed(name: str, value: Any, folder: Path) -> Any:
    """Return a file that is beside the test's as such, anything else as it is."""
    if name == "plugins":
        return [_placed("guest", each, folder) for each in value]
    if name == "modules":
        return [_module(str(each), folder) for each in value]
    if name not in PATHS or value in {"", None}:
        return value
    beside = folder / value
    return str(beside if beside.is_file() else value)


def _module(text: str, folder: Path) -> str:
    """Return FILE ARGS with the file placed."""
    file, space, args = text.partition(" ")
    return f"{_placed('guest', file, folder)}{space}{args}"


def profile_error(name: str) -> str | None:
    """Return what is wrong with the name of a profile, or None."""
    try:
        profile_named(name, discover().extensions.profiles)
    except ConfigError as error:
        return str(error)
    return None
