"""Guest accesses to the IOAPIC: 32 bits at the select and window registers, and EOI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import RegisterName
from lapis_engine.devices.ioapic import pins, regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.ioapic.state import IoapicState


def read(state: IoapicState, address: int, size: int, now: int) -> int:  # noqa: ARG001 - the signature of `Access`
    """Read SELECT or WINDOW; any other size and place reads 0."""
    offset = address - regs.BASE
    if size != 4:
        return 0
    if offset == regs.SELECT:
        return state.select
    return register(state, state.select) if offset == regs.WINDOW else 0


def write(state: IoapicState, address: int, size: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the signature of `Access`
    """Write SELECT, WINDOW or EOI; any other size and place is ignored."""
    offset = address - regs.BASE
    if size != 4:
        return ()
    if offset == regs.SELECT:
        # Differs from bhyve: it keeps bits 31:8, which are reserved, and ignores them.
        state.select = value & regs.INDEX
    elif offset == regs.WINDOW:
        return _write_register(state, state.select, value)
    elif offset == regs.EOI and state.version >= regs.EOI_VERSION:
        return pins.end(state, value & regs.VECTOR)
    return ()


def register(state: IoapicState, index: int) -> int:
    """Return the register at `index` of the window, without side effects."""
    if index in (regs.ID, regs.ARBITRATION):
        # Not modelled: arbitration for the APIC bus; its id follows IOAPICID.
        return state.id
    if index == regs.VERSION:
        return regs.LAST_PIN.put(state.version, len(state.pins) - 1)
    pin, high = divmod(index - regs.REDIRECTION, 2)
    if not 0 <= pin < len(state.pins):
        return 0
    return state.pins[pin].entry >> (32 * high) & regs.HALF


def _write_register(state: IoapicState, index: int, value: int) -> Signals:
    if index == regs.ID:
        state.id = value & regs.ID_BITS
    pin, high = divmod(index - regs.REDIRECTION, 2)
    if not 0 <= pin < len(state.pins):
        return ()
    half, entry = regs.HALF << (32 * high), state.pins[pin].entry
    return pins.program(state, pin, (entry & ~half) | (value << (32 * high) & half))


def names(state: IoapicState) -> tuple[RegisterName, ...]:
    """Return the name of what is in the window."""
    index = state.select
    at = regs.BASE + regs.WINDOW
    pin, high = divmod(index - regs.REDIRECTION, 2)
    if 0 <= pin < len(state.pins):
        name = f"IOREDTBL{pin}[{'63:32' if high else '31:0'}]"
        text = f"redirection of pin {pin}, {'upper' if high else 'lower'} half"
        if high:
            return (RegisterName(at, 4, name, text, "mmio"),)
        rest = state.pins[pin].entry & ~regs.HALF
        return (RegisterName(at, 4, name, text, "mmio", explained="rte", rest=rest),)
    if index not in regs.INDEXED:
        return ()
    return (RegisterName(at, 4, *regs.INDEXED[index], "mmio"),)
