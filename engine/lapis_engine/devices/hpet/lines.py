"""Where the interrupts of the timers go: ISA line, IOAPIC input or message.

Source: IA-PC HPET Specification 1.0a "Interrupt Mapping Options". With the legacy
replacement route the timer block stands before ISA lines 0 and 8, and the 8254 and the
RTC are cut off from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import msi
from lapis_engine.devices.device import GsiChanged, LineChanged
from lapis_engine.devices.hpet import regs
from lapis_engine.events import Oddity

if TYPE_CHECKING:
    from lapis_engine.devices.device import IntxChanged, Signal, Signals
    from lapis_engine.devices.hpet.state import ComparatorState, HpetState


def fire(state: HpetState, number: int) -> Signals:
    """Let timer `number` have met its match."""
    timer = state.timers[number]
    is_level = bool(timer.config & regs.LEVEL)
    if is_level:
        state.status |= 1 << number
    if not timer.config & regs.INTERRUPTS:
        return ()
    if timer.config & regs.FSB:
        return (_message(state, timer, number),)
    if is_level:
        return settle(state)
    where = destination(state, number)
    if where is None:
        return ()
    pin, is_isa = where
    if state.pulses or not is_isa:
        return _moved(pin, up=True, isa=is_isa), _moved(pin, up=False, isa=is_isa)
    # An 8259 wants the line up until it is acknowledged; it falls before it rises anew.
    falls = _drop(timer)
    timer.held, timer.held_isa = pin, is_isa
    return (*falls, _moved(pin, up=True, isa=is_isa))


def settle(state: HpetState) -> Signals:
    """Bring the lines to where they belong after any change."""
    signals: Signals = ()
    for number, timer in enumerate(state.timers):
        wanted = _wanted(state, number)
        held = None if timer.held is None else (timer.held, timer.held_isa)
        if wanted == held:
            continue
        signals += _drop(timer)
        if wanted is not None:
            timer.held, timer.held_isa = wanted
            signals += (_moved(timer.held, up=True, isa=timer.held_isa),)
    return signals


def displace(state: HpetState) -> Signals:
    """Take lines 0 and 8 from the 8254 and the RTC, or give them back.

    To be called when the legacy replacement route has been switched.
    """
    up = not state.config & regs.LEGACY
    return tuple(
        _moved(irq, up=up, isa=True)
        for irq in regs.LEGACY_LINES
        if state.displaced >> irq & 1
    )


def route(state: HpetState, moved: LineChanged | IntxChanged) -> Signals:
    """Let a line of the 8254 or the RTC through, unless it is displaced."""
    if not isinstance(moved, LineChanged):
        return ()
    kept = state.displaced & ~(1 << moved.irq)
    state.displaced = kept | moved.asserted << moved.irq
    if state.config & regs.LEGACY:
        return ()
    return (_moved(moved.irq, up=moved.asserted, isa=True),)


def holds(state: HpetState) -> tuple[LineChanged | GsiChanged, ...]:
    """Return what its timers hold up."""
    return tuple(
        _moved(timer.held, up=True, isa=timer.held_isa)
        for timer in state.timers
        if timer.held is not None
    )


def is_displacing(state: HpetState) -> bool:
    """Tell whether the 8254 and the RTC are cut off from lines 0 and 8."""
    return bool(state.config & regs.LEGACY)


def destination(state: HpetState, number: int) -> tuple[int, bool] | None:
    """Return (number, whether of an ISA line) of what a timer's interrupt moves."""
    if state.config & regs.LEGACY and number < len(regs.LEGACY_LINES):
        return regs.LEGACY_LINES[number], True
    pin = regs.ROUTE.get(state.timers[number].config)
    return (pin, False) if regs.ROUTE_MASK >> pin & 1 else None


def _wanted(state: HpetState, number: int) -> tuple[int, bool] | None:
    """Return what a timer is to hold up, as `destination` does."""
    config = state.timers[number].config
    is_on = state.config & regs.ENABLE and config & regs.INTERRUPTS
    if not is_on or config & regs.FSB:
        return None
    where = destination(state, number)
    if config & regs.LEVEL:
        return where if state.status >> number & 1 else None
    # An edge that is held up stays so.
    timer = state.timers[number]
    held = None if timer.held is None else (timer.held, timer.held_isa)
    return where if where == held and timer.held_isa else None


def _drop(timer: ComparatorState) -> Signals:
    if timer.held is None:
        return ()
    pin, timer.held = timer.held, None
    return (_moved(pin, up=False, isa=timer.held_isa),)


def _moved(pin: int, *, up: bool, isa: bool) -> LineChanged | GsiChanged:
    if isa:
        return LineChanged(pin, asserted=up, is_final=True)
    return GsiChanged(pin, asserted=up)


def _message(state: HpetState, timer: ComparatorState, number: int) -> Signal:
    message = msi.decode(
        timer.fsb >> 32,
        timer.fsb & 0xFFFF_FFFF,
        needs_hint=state.needs_hint,
        redirects=state.redirects,
        source=f"hpet timer {number}",
    )
    if isinstance(message, str):
        return Oddity(-1, "HPET message", f"hpet timer {number}: {message}")
    return message
