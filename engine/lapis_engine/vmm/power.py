"""What a machine is started again with after a reset, as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lapis_engine.boot.image import BootPlan

RESETS: Final = frozenset({"reset", "triple-fault"})
"""What a PC answers with a reset; all else that suspends ends the machine."""


@dataclass(frozen=True, slots=True)
class PowerOn:
    """What there was when the machine was made."""

    registers: tuple[bytes, ...]
    """Raw processor state of each vCPU."""
    values: tuple[dict[str, Any], ...]
    """Fields of vCPUs, APICs and devices, in the order of `startup.power_on`."""
    vm: dict[str, Any]
    """Fields of the `Vm`."""
    plan: BootPlan
