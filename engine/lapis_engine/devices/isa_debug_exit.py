"""Debug exit: a guest's test ends the machine with a status.

QEMU `hw/misc/debugexit.c`, placed as kvm-unit-tests and most hobby kernels ask for it:
port 0xF4, four wide.
"""
# ruff: noqa: ARG002 - the signatures are those of `Access`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.device import Device, PoweredOff, Range, RegisterName

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

PORTS: Final = (Range(0xF4, 4),)
"""Any write, of any size, ends the machine. Reads answer 0."""
NAMES: Final = (RegisterName(0xF4, 4, "debug exit", "status of the guest's end"),)


@dataclass(slots=True)
class DebugExitState:
    """What the debug exit remembers, for whoever looks afterwards."""

    value: int | None = None
    """Raw value last written, or None when the guest has not exited."""


class DebugExitAccess:
    """Guest accesses to the debug exit."""

    def read(self, state: DebugExitState, address: int, size: int, now: int) -> int:
        """Answer 0."""
        return 0

    def write(
        self, state: DebugExitState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """End the machine with QEMU's exit status for `value`, which is never 0."""
        value &= (1 << (8 * size)) - 1
        state.value = value
        why = f"isa-debug-exit: guest wrote {value:#x}"
        return (PoweredOff((value << 1) | 1, why),)


def device() -> Device:
    """Return a debug exit at ports 0xF4 to 0xF7."""
    return Device(
        "isa-debug-exit", DebugExitState(), DebugExitAccess(), PORTS, registers=NAMES
    )
