"""The kinds of parts that plug-ins offer: what each is checked for, and guarded how."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import LapisError
from lapis_engine.lints.lint import LintFailedError
from lapis_plugins import checks
from lapis_plugins.devices import guarded
from lapis_plugins.guard import RAISED, within
from lapis_sessions.gallery import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from lapis_engine.boot.detect import Loader
    from lapis_engine.devices.device import Device
    from lapis_engine.lints.lint import Lint, Rule
    from lapis_engine.lints.state import Finding
    from lapis_engine.machine.config import MachineConfig
    from lapis_engine.vmm.vm import Vm
    from lapis_plugins.guard import Guard
    from lapis_sessions.extensions import (
        ApicFormat,
        Explainer,
        Exporter,
        Function,
        Pane,
        Platform,
        Row,
        Size,
    )
    from lapis_sessions.registry import Command

PANE_SECONDS: Final = 1.0
"""What a pane may take to be rendered."""
NO_VALUE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a function of conditions may raise."""


def _named(part: Any) -> Sequence[str]:
    return (part.name,)


def _whole(part: Any) -> Iterable[Any]:
    return (part,)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of parts."""

    hook: str
    called: str
    check: Callable[[Any], None]
    guarded: Callable[[Guard, Any], Any]
    """Returns the part with every function of it guarded."""
    names: Callable[[Any], Sequence[str]] = _named
    """What it goes by; two of a kind share none."""
    split: Callable[[Any], Iterable[Any]] = _whole
    """Into the parts that a plug-in offers by it."""


def command(guard: Guard, part: Command) -> Command:
    """Guard a command."""
    what = f"command {part.name!r}"
    return replace(
        part,
        perform=guard.called(what, part.perform, checks.result),
        render=guard.called(what, part.render, checks.text),
    )


def lint(guard: Guard, part: Lint) -> Lint:
    """Guard a lint. Whether it is on belongs to the machine, and not to the host."""
    rules = {k: _rule(guard, part.name, rule) for k, rule in part.rules.items()}
    return replace(part, rules=rules, plugin=guard.name)


def _rule(guard: Guard, name: str, rule: Rule) -> Rule:
    def look(vm: Vm, memory: dict[str, Any], event: Any) -> tuple[Finding, ...]:
        before = deepcopy(memory)
        try:
            found = checks.findings(name, rule(vm, memory, event))
            checks.plain(memory, "its memory")
        except RAISED as error:
            memory.clear()
            memory.update(before)
            guard.report(f"lint {name!r}", error)
            raise LintFailedError(type(error).__name__) from error
        return found

    return look


def exporter(guard: Guard, part: Exporter) -> Exporter:
    """Guard an exporter, and every piece that it makes."""
    what = f"exporter {part.name!r}"

    def write(*args: Any) -> Iterator[bytes]:
        if not guard.is_active:
            raise guard.disabled()
        try:
            yield from map(checks.piece, part.write(*args))
        except LapisError:
            raise
        except RAISED as error:
            raise guard.fail(what, error) from error

    return replace(part, write=write)


def pane(guard: Guard, part: Pane) -> Pane:
    """Guard a pane, and set it a deadline."""
    check = checks.rows(len(part.fields))

    def render(snapshot: Any, size: Size) -> Sequence[Row]:
        rows: Sequence[Row] = within(
            PANE_SECONDS, lambda: check(part.render(snapshot, size))
        )
        return rows

    what = f"pane {part.name!r}"
    return replace(part, render=guard.called(what, render, lambda rows: rows))


def explainer(guard: Guard, part: Explainer) -> Explainer:
    """Guard an explainer."""
    what = f"explainer {part.name!r}"
    return replace(part, explain=guard.called(what, part.explain, checks.explanation))


def loader(guard: Guard, part: Loader) -> Loader:
    """Guard a loader."""
    what = f"loader {part.name!r}"
    return replace(
        part,
        takes=guard.asked(what, part.takes),
        load=guard.called(what, part.load, checks.boot_plan),
    )


def apic_format(guard: Guard, part: ApicFormat) -> ApicFormat:
    """Guard a format of APIC files."""
    what = f"APIC format {part.name!r}"
    return replace(
        part,
        takes=guard.asked(what, part.takes),
        read=guard.called(what, part.read, checks.contents),
    )


def function(guard: Guard, part: Function) -> Function:
    """Guard a function of conditions."""
    what, check = f"function {part.name!r}", partial(checks.plain, where="its value")
    return replace(part, call=guard.called(what, part.call, check, NO_VALUE))


def platform(guard: Guard, part: Platform) -> Platform:
    """Guard a platform, and every device of it."""

    def devices(config: MachineConfig) -> list[Device]:
        made = checks.devices(part.devices(config))
        return [guarded(guard, device) for device in made]

    what = f"machine {part.name!r}"
    return replace(part, devices=guard.called(what, devices, list))


def scenarios(folder: Path) -> Iterable[Path]:
    """Return the files of the scenarios in a folder."""
    return catalog.within(folder).values()


def _as_it_is(_guard: Guard, part: Any) -> Any:
    return part


def _command_names(part: Command) -> Sequence[str]:
    return (part.name, *part.aliases)


def _stem(part: Path) -> Sequence[str]:
    return (part.stem,)


KINDS: Final = (
    Kind("lapis_commands", "command", checks.command, command, _command_names),
    Kind("lapis_lints", "lint", checks.lint, lint),
    Kind("lapis_exporters", "exporter", checks.exporter, exporter),
    Kind("lapis_panes", "pane", checks.pane, pane),
    Kind("lapis_explainers", "explainer", checks.explainer, explainer),
    Kind("lapis_profiles", "profile", checks.profile, _as_it_is),
    Kind("lapis_loaders", "loader", checks.loader, loader),
    Kind("lapis_apic_formats", "APIC format", checks.apic_format, apic_format),
    Kind("lapis_functions", "function", checks.function, function),
    Kind("lapis_machines", "machine", checks.platform, platform),
    Kind("lapis_scenarios", "scenario", checks.folder, _as_it_is, _stem, scenarios),
)  # fmt: skip
"""All but devices, which are made anew for each machine."""
