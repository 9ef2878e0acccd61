"""Guest accesses to the debug console."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.debugcon import regs
from lapis_engine.devices.device import Printed

if TYPE_CHECKING:
    from lapis_engine.devices.debugcon.state import DebugconState
    from lapis_engine.devices.device import Signals


def read(state: DebugconState, address: int, size: int, now: int) -> int:
    """Answer 0xE9: there is a console."""
    return bytewise.read(_read, regs.PORTS, state, address, size, now)


def write(
    state: DebugconState, address: int, size: int, value: int, now: int
) -> Signals:
    """Print the byte written to the port."""
    return bytewise.write(_write, regs.PORTS, state, address, size, value, now)


def _read(state: DebugconState, port: int, now: int) -> int:
    return regs.READBACK


def _write(state: DebugconState, port: int, value: int, now: int) -> Signals:
    state.written += 1
    return (Printed("debugcon", bytes((value,))),)
