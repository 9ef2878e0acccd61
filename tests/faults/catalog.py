"""All planted faults, by name."""

from collections.abc import Mapping
from typing import Final

from faults import bringup, exceptions, ipis, local, pair, pins, timers, waiting
from faults.scene import Fault

MODULES: Final = (bringup, waiting, local, timers, ipis, pins, pair, exceptions)
FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault for module in MODULES for fault in module.FAULTS
}
