"""The plug-in host: finds plug-ins, calls their hooks one by one, isolates failures.

A plug-in that raises is reported once under its name and never called again; the others
do not notice. Nothing is global: each host has its own manager.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from lapis_engine.devices.device import Device
from lapis_plugins import spec
from lapis_sessions.extensions import Extensions
from lapis_sessions.registry import Command, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

    from lapis_engine.machine.config import MachineConfig

GROUP = "lapis.plugins"
VARIABLE = "LAPIS_LOAD_PLUGINS"
"""Names of the third-party plug-ins to load, separated by commas; empty for none."""
BUILTIN = {
    "commands": "lapis_plugins.builtin.commands",
    "pc": "lapis_plugins.builtin.pc",
}
"""Loaded whatever the environment says; also where nothing is installed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A plug-in that was put out of action."""

    plugin: str
    hook: str
    """Hook that raised, or "load"."""
    why: str

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return (
            f"plug-in {self.plugin!r} is disabled: its {self.hook} failed: {self.why}"
        )


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in that is in action."""

    name: str
    builtin: bool
    origin: str
    """Module that it comes from."""


class Host:
    """The plug-ins of one program."""

    def __init__(self, report: Callable[[Failure], None] | None = None) -> None:
        """Start without plug-ins; tell `report` of each failure, once."""
        self._manager = pluggy.PluginManager(spec.PROJECT)
        self._manager.add_hookspecs(spec)
        self._report = report
        self.plugins: list[Plugin] = []
        """Those in action, in the order of loading."""
        self.failures: list[Failure] = []

    def register(self, plugin: object, name: str, *, builtin: bool = False) -> None:
        """Put a plug-in into action."""
        self._manager.register(plugin, name)
        self._manager.check_pending()
        origin = getattr(plugin, "__name__", type(plugin).__qualname__)
        self.plugins.append(Plugin(name, builtin, origin))

    def load(self, name: str, source: Callable[[], object], *, builtin: bool) -> None:
        """Import a plug-in and put it into action; a failure is reported."""
        try:
            self.register(source(), name, builtin=builtin)
        except Exception as error:  # noqa: BLE001 - a plug-in can raise anything
            self._disable(name, "load", error)

    def load_file(self, path: str) -> None:
        """Import a plug-in from a file, which need not be on the path."""
        name = Path(path).stem

        def source() -> object:
            spec = spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path!r} is no Python file")
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module

        self.load(name, source, builtin=False)

    @property
    def extensions(self) -> Extensions:
        """Everything that the plug-ins in action offer."""
        return Extensions(self.devices, Registry(self.commands()))

    def commands(self) -> list[Command]:
        """Return the commands of all plug-ins."""
        caller = self._manager.hook.lapis_commands
        return [command for part in caller() for command in part]

    def devices(self, config: MachineConfig) -> list[Device]:
        """Return the devices that all plug-ins put on a machine."""
        found: list[Device] = []
        for plugin in list(self.plugins):
            try:
                found += self._devices_of(plugin.name, config)
            except Exception as error:  # noqa: BLE001 - a plug-in can raise anything
                self._disable(plugin.name, "lapis_devices", error)
        return found

    def _devices_of(self, name: str, config: MachineConfig) -> list[Device]:
        plugin = self._manager.get_plugin(name)
        others = [p for p in self._manager.get_plugins() if p is not plugin]
        caller = self._manager.subset_hook_caller("lapis_devices", others)
        found = [device for part in caller(config=config) for device in part]
        for device in found:
            if not isinstance(device, Device):
                raise TypeError(f"{device!r} is no Device")
        return found

    def _disable(self, name: str, hook: str, error: Exception) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        self.plugins = [plugin for plugin in self.plugins if plugin.name != name]
        failure = Failure(name, hook, f"{type(error).__name__}: {error}")
        self.failures.append(failure)
        if self._report is not None:
            self._report(failure)


def discover(report: Callable[[Failure], None] | None = None) -> Host:
    """Return a host with the built-in plug-ins and those that are installed."""
    host = Host(report)
    for name, module in BUILTIN.items():
        host.load(name, lambda m=module: import_module(m), builtin=True)  # type: ignore[misc]
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for entry in _wanted(found, os.environ.get(VARIABLE)):
        host.load(entry.name, entry.load, builtin=False)
    return host


def _wanted(found: Iterable[EntryPoint], names: str | None) -> list[EntryPoint]:
    """Return the third-party entry points that the environment allows."""
    others = [entry for entry in found if entry.value not in BUILTIN.values()]
    if names is None:
        return others
    wanted = {name.strip() for name in names.split(",")}
    return [entry for entry in others if entry.name in wanted]
