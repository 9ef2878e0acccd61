"""An example plug-in: a mailbox, and one of every other kind of extension.

Here are the hooks alone. Lapis calls each once, and the first for every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lapis_example import chatty, formats, mailbox, talking
from lapis_plugins.spec import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.boot.detect import Loader
    from lapis_engine.devices.device import Device
    from lapis_engine.lints.lint import Lint
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


@hookimpl
def lapis_devices() -> Sequence[Device]:
    """Return a mailbox."""
    return [mailbox.device()]


@hookimpl
def lapis_machines() -> Sequence[Platform]:
    """Return the machine that has a mailbox and nothing else."""
    return [mailbox.PLATFORM]


@hookimpl
def lapis_commands() -> Sequence[Command]:
    """Return the command that opens it."""
    return [talking.COMMAND]


@hookimpl
def lapis_lints() -> Sequence[Lint]:
    """Return the lint."""
    return [chatty.LINT]


@hookimpl
def lapis_exporters() -> Sequence[Exporter]:
    """Return the export as CSV."""
    return [formats.CSV]


@hookimpl
def lapis_panes() -> Sequence[Pane]:
    """Return the pane of what is in service."""
    return [talking.PANE]


@hookimpl
def lapis_explainers() -> Sequence[Explainer]:
    """Return the explainer of the mailbox's register."""
    return [talking.EXPLAINER]


@hookimpl
def lapis_profiles() -> Sequence[Profile]:
    """Return the processor with a slow timer."""
    return [formats.SLOW]


@hookimpl
def lapis_loaders() -> Sequence[Loader]:
    """Return the loader of hex text."""
    return [formats.HEX]


@hookimpl
def lapis_apic_formats() -> Sequence[ApicFormat]:
    """Return the format of compressed APIC files."""
    return [formats.GZIP]


@hookimpl
def lapis_functions() -> Sequence[Function]:
    """Return the function that counts letters."""
    return [talking.LETTERS]


@hookimpl
def lapis_scenarios() -> Sequence[Path]:
    """Return the folder of the scenarios."""
    return [Path(__file__).parent / "scenarios"]
