"""What sessions bring: commands, exports, APIC files, functions, and the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_plugins.spec import hookimpl
from lapis_sessions.apic_files.reading import FORMATS
from lapis_sessions.commands.builtin import COMMANDS
from lapis_sessions.gallery import catalog
from lapis_sessions.recording.export.export import EXPORTERS
from lapis_sessions.scope.memory import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lapis_sessions.extensions import ApicFormat, Exporter, Function
    from lapis_sessions.registry import Command


@hookimpl
def lapis_commands() -> Sequence[Command]:
    """Return every command."""
    return COMMANDS


@hookimpl
def lapis_exporters() -> Sequence[Exporter]:
    """Return every form."""
    return EXPORTERS


@hookimpl
def lapis_apic_formats() -> Sequence[ApicFormat]:
    """Return our own format, and those of QEMU and KVM."""
    return FORMATS


@hookimpl
def lapis_functions() -> Sequence[Function]:
    """Return those that read memory."""
    return FUNCTIONS


@hookimpl
def lapis_scenarios() -> Sequence[Path]:
    """Return the folder of the gallery."""
    return [catalog.home()]
