"""What plug-ins add, gathered once by whoever starts the program.

A session is built with one record of all of it; nothing below knows where a part came
from. Ours are in it as anyone's are: without it there is no device and no command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices.device import Device
from lapis_engine.machine.config import MachineConfig

if TYPE_CHECKING:
    from lapis_sessions.registry import Registry

DeviceMaker = Callable[[MachineConfig], Sequence[Device]]
"""Makes the devices that belong on a machine."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """Everything that plug-ins offer."""

    devices: DeviceMaker
    registry: Registry
    """Every command."""
