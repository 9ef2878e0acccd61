"""What reaches the machine by its cables: text typed on a serial line.

A byte arrives when the line has brought it and the guest has room for it, so where it
is in a history follows from where it was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.uart import receiver
from lapis_engine.devices.uart.state import UartState
from lapis_engine.errors import EngineError
from lapis_engine.vmm import fabric

if TYPE_CHECKING:
    from lapis_engine.vmm.vm import Vm

MOST_AT_ONCE: Final = 4096
"""Bytes that are typed at once."""
MOST_WAITING: Final = 1 << 20
"""Bytes that may wait for the guest."""


def ports(vm: Vm) -> dict[str, UartState]:
    """Return the serial ports by name."""
    states = (device.state for device in vm.devices)
    return {state.port: state for state in states if isinstance(state, UartState)}


def receive(vm: Vm, port: str, data: str) -> None:
    """Have the far end of a serial line send bytes, a character for each.

    Raises `EngineError` for a port that there is not, or data that it does not take.
    """
    found = ports(vm)
    if port not in found:
        known = ", ".join(found) or "none"
        raise EngineError(f"there is no serial port {port[:20]!r}; there are: {known}")
    if not 1 <= len(data) <= MOST_AT_ONCE:
        raise EngineError(f"{len(data)} bytes to type: 1 to {MOST_AT_ONCE} at once")
    odd = next((char for char in data if ord(char) > 0xFF), None)
    if odd is not None:
        raise EngineError(f"{odd!r} is no byte: a serial line carries 0 to 0xff")
    state = found[port]
    waiting = len(state.waiting)
    if waiting + len(data) > MOST_WAITING:
        raise EngineError(
            f"{waiting} bytes wait for the guest on {port}, {MOST_WAITING} is the most"
        )
    fabric.signal(vm, receiver.queue(state, data.encode("latin-1"), vm.now), -1)
    vm.timers.moved = vm.attention.kick = True
