"""Every hook on one page.

Implement one with `@hookimpl` under the same name; leave out arguments that you do not
need. A hook is called once, when the program starts (`lapis_devices` whenever a machine
is built), returns records, and keeps nothing that belongs to a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lapis_engine.boot.detect import Loader
    from lapis_engine.devices.device import Device
    from lapis_engine.lints.lint import Lint
    from lapis_engine.machine.config import MachineConfig
    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.extensions import (
        ApicFormat,
        Explainer,
        Exporter,
        Function,
        Pane,
        Platform,
    )
    from lapis_sessions.registry import Command

PROJECT = "lapis"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def lapis_devices(config: MachineConfig) -> Sequence[Device]:  # type: ignore[empty-body]
    """Return the devices to put on a machine that is about to be built, of any kind."""


@hookspec
def lapis_machines() -> Sequence[Platform]:  # type: ignore[empty-body]
    """Return platforms: kinds of machines, each with the devices that it has."""


@hookspec
def lapis_commands() -> Sequence[Command]:  # type: ignore[empty-body]
    """Return commands of the console, of `lapis exec` and of `Session.do`."""


@hookspec
def lapis_lints() -> Sequence[Lint]:  # type: ignore[empty-body]
    """Return lints: rules that look at events and report what is seldom meant."""


@hookspec
def lapis_exporters() -> Sequence[Exporter]:  # type: ignore[empty-body]
    """Return forms in which `lapis session export` writes a recording."""


@hookspec
def lapis_panes() -> Sequence[Pane]:  # type: ignore[empty-body]
    """Return panes, each a title, the heads of its columns and a pure render."""


@hookspec
def lapis_explainers() -> Sequence[Explainer]:  # type: ignore[empty-body]
    """Return registers that `explain` puts into words."""


@hookspec
def lapis_profiles() -> Sequence[Profile]:  # type: ignore[empty-body]
    """Return profiles: sets of switches, each derived from one of ours by `replace`."""


@hookspec
def lapis_loaders() -> Sequence[Loader]:  # type: ignore[empty-body]
    """Return formats of kernel images, told by their content."""


@hookspec
def lapis_apic_formats() -> Sequence[ApicFormat]:  # type: ignore[empty-body]
    """Return formats of files that hold a local APIC, told by their content."""


@hookspec
def lapis_functions() -> Sequence[Function]:  # type: ignore[empty-body]
    """Return functions for the conditions of `explore --until` and `shrink --until`."""


@hookspec
def lapis_scenarios() -> Sequence[Path]:  # type: ignore[empty-body]
    """Return folders of scenarios: a `.toml` and its `.lapis` recordings for each."""
