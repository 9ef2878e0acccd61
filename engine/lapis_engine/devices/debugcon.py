"""Debug console: what firmware writes to port 0x402 is text for its developer.

The port is QEMU's and Bochs' (QEMU `hw/char/debugcon.c`); nothing is ever received. The
text itself is the machine's to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import Device, Printed, Range, RegisterName

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

DATA: Final = 0x402
"""Write: one character. Read: `READBACK`."""
PORTS: Final = (Range(DATA, 1),)
NAMES: Final = (RegisterName(DATA, 1, "debugcon", "a character for the log"),)
READBACK: Final = 0xE9
"""What a read answers, by which firmware knows that the console is there."""


@dataclass(slots=True)
class DebugconState:
    """What the console remembers."""

    written: int = 0
    """Bytes that the guest has written since reset."""


class DebugconAccess:
    """Guest accesses to the debug console."""

    def read(self, state: DebugconState, address: int, size: int, now: int) -> int:
        """Answer 0xE9: there is a console."""
        return bytewise.read(_read, PORTS, state, address, size, now)

    def write(
        self, state: DebugconState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Print the byte written to the port."""
        return bytewise.write(_write, PORTS, state, address, size, value, now)


def _read(_state: DebugconState, _port: int, _now: int) -> int:
    return READBACK


def _write(state: DebugconState, _port: int, value: int, _now: int) -> Signals:
    state.written += 1
    return (Printed("debugcon", bytes((value,))),)


def device() -> Device:
    """Return a debug console at port 0x402."""
    return Device("debugcon", DebugconState(), DebugconAccess(), PORTS, registers=NAMES)
