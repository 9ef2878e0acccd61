"""Pins of the IOAPIC: what goes out when one moves, is programmed, or is ended.

Sources: Intel 82093AA "I/O Redirection Table Registers"; bhyve `vioapic_set_pinstate`,
`vioapic_send_intr`, `vioapic_process_eoi`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices import wired
from lapis_engine.devices.device import InterruptMessage
from lapis_engine.devices.ioapic import regs
from lapis_engine.devices.msi import LEVEL_MODES, MODES
from lapis_engine.events import IoapicEnded, PinChanged

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.ioapic.state import IoapicState


@dataclass(frozen=True, slots=True)
class Redirection:
    """The fields of a redirection entry."""

    vector: int
    mode: str
    """fixed, lowest, smi, nmi, init, extint, reserved."""
    logical: bool
    active_low: bool
    remote_irr: bool
    level: bool
    """What the trigger mode comes to: it counts for fixed and lowest alone."""
    masked: bool
    destination: int


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin as a viewer sees it."""

    number: int
    count: int
    """How many sources hold it asserted."""
    entry: int
    """Redirection entry, raw."""
    redirection: Redirection


def decode(entry: int) -> Redirection:
    """Take a 64-bit redirection entry apart."""
    mode = MODES[regs.MODE.get(entry)]
    return Redirection(
        vector=regs.VECTOR.get(entry),
        mode=mode,
        logical=bool(entry & regs.LOGICAL),
        active_low=bool(entry & regs.ACTIVE_LOW),
        remote_irr=bool(entry & regs.REMOTE_IRR),
        # Differs from bhyve: there NMI, SMI, INIT and ExtINT can be levels, and their
        # remote-IRR stays set, as no EOI follows them.
        level=bool(entry & regs.LEVEL) and mode in LEVEL_MODES,
        masked=bool(entry & regs.MASKED),
        destination=regs.DESTINATION.get(entry),
    )


def peek(state: IoapicState) -> tuple[Pin, ...]:
    """Return all pins, ascending."""
    return tuple(
        Pin(number, pin.count, pin.entry, decode(pin.entry))
        for number, pin in enumerate(state.pins)
    )


def set_pin(state: IoapicState, pin: int, asserted: bool) -> Signals:  # noqa: FBT001 - the level of a pin
    """Let one source of `pin` assert it, or no longer; the first one's edge counts.

    An edge on a masked pin is lost.
    """
    assert 0 <= pin < len(state.pins), pin
    it = state.pins[pin]
    it.count, odd = wired.step(it.count, f"IOAPIC pin {pin}", asserted=asserted)
    if odd is not None:
        return (odd,)
    moved = PinChanged(-1, pin, asserted, it.count)
    return (moved, *_send(state, pin)) if asserted and it.count == 1 else (moved,)


def program(state: IoapicState, pin: int, entry: int) -> Signals:
    """Write a redirection entry, all 64 bits but the read-only ones."""
    it = state.pins[pin]
    it.entry = (entry & ~regs.READ_ONLY) | (it.entry & regs.READ_ONLY)
    if not decode(it.entry).level:
        # A change to edge and back is an EOI where there is no EOI register.
        it.entry &= ~regs.REMOTE_IRR
        return ()
    return _send(state, pin) if it.count else ()


def end(state: IoapicState, vector: int) -> Signals:
    """Bring an EOI of `vector` to every pin that waits for one."""
    signals: Signals = ()
    for pin, it in enumerate(state.pins):
        if not it.entry & regs.REMOTE_IRR or regs.VECTOR.get(it.entry) != vector:
            continue
        it.entry &= ~regs.REMOTE_IRR
        again = _send(state, pin) if it.count else ()
        signals += (IoapicEnded(-1, pin, vector, bool(again)), *again)
    return signals


def _send(state: IoapicState, pin: int) -> Signals:
    """Send the message of a pin that is asserted, if its entry lets it out."""
    it = state.pins[pin]
    entry = decode(it.entry)
    if entry.masked or (entry.level and entry.remote_irr):
        return ()
    if entry.level:
        # As bhyve: with the message, not when an APIC has accepted it.
        it.entry |= regs.REMOTE_IRR
    return (
        InterruptMessage(
            source=f"ioapic pin {pin}",
            destination=entry.destination,
            logical=entry.logical,
            mode=entry.mode,
            vector=entry.vector,
            level=entry.level,
        ),
    )
