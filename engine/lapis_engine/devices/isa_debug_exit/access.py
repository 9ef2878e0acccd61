"""Guest accesses to the debug exit."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import PoweredOff

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.isa_debug_exit.state import DebugExitState


def read(state: DebugExitState, address: int, size: int, now: int) -> int:
    """Answer 0."""
    return 0


def write(
    state: DebugExitState, address: int, size: int, value: int, now: int
) -> Signals:
    """End the machine with QEMU's exit status for `value`, which is never 0."""
    value &= (1 << (8 * size)) - 1
    state.value = value
    return (PoweredOff((value << 1) | 1, f"isa-debug-exit: guest wrote {value:#x}"),)
