"""A device: a mailbox of one byte, whose flag rings IRQ 5 a while after each letter.

Port 0x5A0: a write posts a letter, a read takes the last one, or 0xFF if there is none.
A device is three things: a state that is plain data, functions on it that return what
must reach others, and the addresses at which it is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices.device import Device, LineChanged, Range, RegisterName
from lapis_sessions.extensions import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.devices.device import Signals
    from lapis_engine.machine.config import MachineConfig

PORTS = (Range(0x5A0, 1),)
REGISTERS = (
    RegisterName(
        0x5A0, 1, "LETTER", "the letter; a read takes it", explained="mailbox"
    ),
)
"""What a request at the port is called, and who explains what is written there."""
IRQ = 5
DELAY = 10_000
"""ns from a letter to its interrupt; an instruction takes 1 ns."""
EMPTY = 0xFF


@dataclass(slots=True)
class State:
    """All that there is to save."""

    letter: int | None = None
    posted: int = 0
    """Letters so far."""
    rings_at: int | None = None
    """ns of virtual time."""


class Access:
    """What the guest can do to it."""

    def read(self, state: State, address: int, size: int, now: int) -> int:
        """Take the letter; the line falls."""
        del address, size, now
        letter, state.letter = state.letter, None
        return EMPTY if letter is None else letter

    def write(
        self, state: State, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Post a letter; the line falls until it rings."""
        del address, size
        state.letter, state.posted = value & 0xFF, state.posted + 1
        state.rings_at = now + DELAY
        return (LineChanged(IRQ, asserted=False),)


class Timer:
    """What it does by itself."""

    def deadline(self, state: State) -> int | None:
        """Say when `advance` is needed next; this changes nothing."""
        return state.rings_at

    def advance(self, state: State, now: int) -> Signals:
        """Ring."""
        del now
        state.rings_at = None
        return (LineChanged(IRQ, asserted=True),)


def peek(state: State, address: int, size: int, now: int) -> int:
    """Say what a read would take, and leave it there."""
    del address, size, now
    return EMPTY if state.letter is None else state.letter


def device() -> Device:
    """Return a mailbox with nothing in it."""
    return Device(
        "mailbox",
        State(),
        Access(),
        ports=PORTS,
        timer=Timer(),
        registers=REGISTERS,
        peek=peek,
    )


def _no_more(config: MachineConfig) -> Sequence[Device]:
    del config
    return ()


PLATFORM = Platform("mailbox-only", "a machine with a mailbox alone", _no_more)
"""The mailbox is on every machine, and this one has no other device."""
