"""The plug-in host: finds plug-ins, calls their hooks one by one, isolates failures.

A plug-in that raises is reported once under its name and never called again; the others
do not notice. Nothing is global: each host has its own manager, and what it gathers is
handed down as one record.
"""

from __future__ import annotations

from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING

import pluggy

from lapis_engine.errors import ConfigError
from lapis_plugins import checks, finding, gathering, spec
from lapis_plugins.devices import guarded
from lapis_plugins.guard import RAISED, Guard
from lapis_plugins.plugin import Clash, Failure, Plugin, Remark, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.config import MachineConfig
    from lapis_plugins.gathering import Offer
    from lapis_sessions.extensions import Extensions

BUILTIN = {
    "bare": "lapis_plugins.builtin.bare",
    "dump": "lapis_plugins.builtin.dump",
    "engine": "lapis_plugins.builtin.engine",
    "panes": "lapis_plugins.builtin.panes",
    "pc": "lapis_plugins.builtin.pc",
    "sessions": "lapis_plugins.builtin.sessions",
}
"""Loaded whatever the environment says; also where nothing is installed."""


class Host:
    """The plug-ins of one program."""

    def __init__(self, report: Callable[[Report], None] | None = None) -> None:
        """Start without plug-ins.

        What the user must hear is told to `report`, once; without one it is kept for
        the sessions, whose notices it becomes.
        """
        self._manager = pluggy.PluginManager(spec.PROJECT)
        self._manager.add_hookspecs(spec)
        self._told = report
        self._unheard: list[str] = []
        self._guards: dict[str, Guard] = {}
        self.plugins: list[Plugin] = []
        """All of them, in the order of loading; those that are disabled, too."""
        self.reports: list[Report] = []
        """Everything that was reported."""

    @property
    def failures(self) -> list[Failure]:
        """The plug-ins that were put out of action, and why."""
        return [each for each in self.reports if isinstance(each, Failure)]

    def report(self, report: Report) -> None:
        """Tell the user."""
        self.reports.append(report)
        if self._told is not None:
            self._told(report)
        else:
            self._unheard.append(report.text)

    def listen(self, report: Callable[[Report], None]) -> None:
        """Tell `report` from now on."""
        self._told = report

    # Loading.

    def register(self, plugin: object, name: str, *, builtin: bool = False) -> None:
        """Put a plug-in into action."""
        origin = getattr(plugin, "__name__", type(plugin).__qualname__)
        self.load(Plugin(name, builtin, origin), lambda: plugin)

    def load(self, plugin: Plugin, source: Callable[[], object]) -> None:
        """Import a plug-in and put it into action; a failure is reported.

        Another one of its name is left out, with a sentence.
        """
        first = next((p for p in self.plugins if p.name == plugin.name), None)
        if first is not None:
            text = (
                f"plug-in {plugin.name!r} of {plugin.origin} is left out: that of "
                f"{first.origin} has this name"
            )
            self.report(Remark(plugin.name, text))
            return
        self.plugins.append(plugin)
        self._guards[plugin.name] = Guard(plugin, self.report)
        try:
            found = source()
            self._manager.register(found, plugin.name)
            self._manager.check_pending()
            callers = self._manager.get_hookcallers(found) or ()
            plugin.hooks = tuple(sorted(caller.name for caller in callers))
            if not plugin.hooks:
                raise TypeError("it implements no hook")
        except RAISED as error:
            self._disable(plugin.name, "load", error)

    def load_file(self, path: str) -> None:
        """Import a plug-in from a Python file, which need not be on the path."""
        plugin, source = finding.of_file(path)
        self.load(plugin, source)

    def leave_out(self, plugin: Plugin, why: str) -> None:
        """List a plug-in that the user does not want."""
        plugin.why = why
        self.plugins.append(plugin)

    def _disable(self, name: str, hook: str, error: BaseException) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        guard = self._guards[name]
        if guard.is_active:
            guard.report(hook, error)

    # What they offer.

    @cached_property
    def extensions(self) -> Extensions:
        """Everything that the plug-ins in action offer; gathered once."""
        offers: list[tuple[str, Offer]] = []
        for plugin in self.plugins:
            if plugin.why is not None:
                continue
            name = plugin.name
            try:
                found = gathering.offer(self._guards[name], partial(self._call, name))
            except RAISED as error:
                notes = getattr(error, "__notes__", ["hooks"])
                self._disable(name, notes[-1], error)
            else:
                offers.append((name, found))
        return gathering.merged(offers, self.devices, self.report, self._unheard)

    def devices(self, config: MachineConfig) -> list[Device]:
        """Return the devices of a platform, and those that plug-ins put on it.

        Raises `ConfigError` when there is no such platform.
        """
        found = self._platform(config)
        owners = {each.name: each.plugin or config.machine for each in found}
        for plugin in self.plugins:
            if plugin.why is not None or "lapis_devices" not in plugin.hooks:
                continue
            try:
                mine = self._devices_of(plugin, config)
            except RAISED as error:
                self._disable(plugin.name, "lapis_devices", error)
                continue
            for device in mine:
                other = _rival(device, found)
                if other is None:
                    found.append(device)
                    owners[device.name] = plugin.name
                else:
                    self._clash(plugin, device, other, owners[other.name])
        return found

    def _platform(self, config: MachineConfig) -> list[Device]:
        machines, name = self.extensions.machines, config.machine
        if name in machines:
            return list(machines[name].devices(config))
        if not machines:
            return []
        offered = sorted(each.name for each in machines.values() if each.offered)
        known = " or ".join(offered)
        raise ConfigError(f"machine {name[:40]!r}: {known} is expected")

    def _devices_of(self, plugin: Plugin, config: MachineConfig) -> list[Device]:
        made = list(self._call(plugin.name, "lapis_devices", config=config))
        if plugin.builtin:
            return made
        for device in made:
            checks.device(device)
        return [guarded(self._guards[plugin.name], device) for device in made]

    def _clash(self, plugin: Plugin, device: Device, other: Device, owner: str) -> None:
        """Report a device that is left out, once for each plug-in and name."""
        what = f"device {device.name!r}"
        why = "one of that name"
        if device.name != other.name:
            why = f"{other.name!r} at the same addresses"
        clash = Clash(plugin.name, what, owner, why)
        if clash not in self.reports:
            self.report(clash)

    def _call(self, name: str, hook: str, **given: Any) -> Iterable[Any]:
        """Call one hook of one plug-in, with those arguments that it takes."""
        plugin = self._manager.get_plugin(name)
        others = [p for p in self._manager.get_plugins() if p is not plugin]
        caller = self._manager.subset_hook_caller(hook, others)
        return [part for parts in caller(**given) for part in parts]


def _rival(device: Device, others: Iterable[Device]) -> Device | None:
    """Return the first device that has the name, or an address, of `device`."""
    for other in others:
        spaces = (device.ports, other.ports), (device.mmio, other.mmio)
        if device.name == other.name or any(
            a.first < b.first + b.size and b.first < a.first + a.size
            for mine, theirs in spaces
            for a in mine
            for b in theirs
        ):
            return other
    return None


def discover(
    report: Callable[[Report], None] | None = None,
    files: Sequence[str] = (),
    *,
    installed: bool = True,
) -> Host:
    """Return a host with the built-in plug-ins, those installed, and those of `files`.

    The environment chooses among the installed ones (`finding.VARIABLE`), unless none
    is wanted.
    """
    host = Host(report)
    for name, module in BUILTIN.items():
        plugin = Plugin(name, builtin=True, origin=module)
        host.load(plugin, lambda m=module: import_module(m))  # type: ignore[misc]
    wish = finding.wish() if installed else finding.Wish(())
    for plugin, source in finding.installed():
        if wish.takes(plugin.name):
            host.load(plugin, source)
        else:
            host.leave_out(plugin, wish.why(plugin.name))
    for path in files:
        host.load_file(path)
    for name in wish.unknown({plugin.name for plugin in host.plugins}):
        text = f"{finding.VARIABLE} names {name!r}, and no plug-in of that name is here"
        host.report(Remark(name, text))
    return host
