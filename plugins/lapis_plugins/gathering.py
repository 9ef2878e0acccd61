"""From what each plug-in offers to the one record of all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_plugins.kinds import KINDS
from lapis_plugins.plugin import Clash
from lapis_sessions.extensions import Extensions
from lapis_sessions.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lapis_plugins.guard import Guard
    from lapis_plugins.kinds import Kind
    from lapis_plugins.plugin import Report
    from lapis_sessions.extensions import DeviceMaker

Offer = dict[str, list[Any]]
"""Parts by hook."""
TABLES = ("lints", "explainers", "panes")
"""Fields of `Extensions` whose names arguments of commands refer to."""


def offer(guard: Guard, call: Callable[[str], Iterable[Any]]) -> Offer:
    """Return all parts of one plug-in, checked and guarded; raises what it raises.

    `call` calls one of its hooks.
    """
    found: Offer = {}
    for kind in KINDS:
        if kind.hook not in guard.plugin.hooks:
            continue
        try:
            found[kind.hook] = list(_parts(guard, kind, call(kind.hook)))
        except Exception as error:
            error.add_note(kind.hook)
            raise
    return found


def _parts(guard: Guard, kind: Kind, offered: Iterable[Any]) -> Iterable[Any]:
    for part in offered:
        if guard.plugin.builtin:
            yield from kind.split(part)
        else:
            kind.check(part)
            for each in kind.split(part):
                yield kind.guarded(guard, each)


def merged(
    offers: Sequence[tuple[str, Offer]],
    devices: DeviceMaker,
    report: Callable[[Report], None],
    unheard: list[str],
) -> Extensions:
    """Return the record; of two parts of one name the first is taken.

    `offers` name their plug-ins; `unheard` are the reports that sessions are to tell.
    """
    found = {kind.hook: _first(kind, offers, report) for kind in KINDS}
    tables = {
        "lints": found["lapis_lints"],
        "exporters": found["lapis_exporters"],
        "panes": found["lapis_panes"],
        "explainers": found["lapis_explainers"],
        "profiles": found["lapis_profiles"],
        "functions": found["lapis_functions"],
        "machines": found["lapis_machines"],
        "scenarios": found["lapis_scenarios"],
    }
    commands = dict.fromkeys(found["lapis_commands"].values())
    return Extensions(
        devices,
        Registry(commands, {name: tables[name] for name in TABLES}),
        loaders=tuple(found["lapis_loaders"].values()),
        apic_formats=tuple(found["lapis_apic_formats"].values()),
        reports=unheard,
        **tables,
    )


def _first(
    kind: Kind,
    offers: Sequence[tuple[str, Offer]],
    report: Callable[[Report], None],
) -> dict[str, Any]:
    """Return the parts of one kind by every name that they go by."""
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for plugin, offered in offers:
        for part in offered.get(kind.hook, ()):
            names = kind.names(part)
            taken = [name for name in names if name in owners]
            if taken:
                what = f"{kind.called} {taken[0]!r}"
                report(Clash(plugin, what, owners[taken[0]]))
                continue
            found |= dict.fromkeys(names, part)
            owners |= dict.fromkeys(names, plugin)
    return found
