"""Every hook on one page.

Implement one with `@hookimpl` under the same name; leave out arguments that you do not
need. A hook returns data and keeps nothing that belongs to a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.config import MachineConfig
    from lapis_sessions.registry import Command

PROJECT = "lapis"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def lapis_devices(config: MachineConfig) -> Sequence[Device]:  # type: ignore[empty-body]
    """Return the devices to put on a machine that is about to be built."""


@hookspec
def lapis_commands() -> Sequence[Command]:  # type: ignore[empty-body]
    """Return commands for the registry."""
