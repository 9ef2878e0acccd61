"""Guest accesses to the timer block.

Source: IA-PC HPET Specification 1.0a "Register Model": registers are read and written
as aligned dwords and quadwords. Smaller reads get their bytes; smaller and unaligned
writes are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.hpet import counter, lines, regs, timer
from lapis_engine.plain import Plain
from lapis_engine.units import MASK32, MASK64

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.hpet.state import ComparatorState, HpetState


def read(state: HpetState, address: int, size: int, now: int) -> int:
    """Read part of one register, or of two that follow each other."""
    offset, within = divmod(address - regs.BASE, 8)
    value = _register(state, offset * 8, now)
    if within + size > 8:
        value |= _register(state, offset * 8 + 8, now) << 64
    return value >> 8 * within & (1 << 8 * size) - 1


def plain(state: HpetState, address: int, size: int, now: int) -> Plain | None:
    """Return what a read goes on to give; only a periodic comparator moves unsaid."""
    offset, within = divmod(address - regs.BASE, 8)
    if within + size > 8:
        return None
    value = read(state, address, size, now)
    if offset * 8 == regs.COUNTER:
        return _plain_counter(state, within, size, now)
    chosen = _timer_at(state, offset * 8)
    if chosen is not None:
        one, register = chosen
        if register == regs.COMPARATOR and one.config & regs.PERIODIC:
            return None
    return Plain(value)


def _plain_counter(state: HpetState, within: int, size: int, now: int) -> Plain | None:
    """Return the counter, or its low half, as it goes on until it wraps."""
    if not state.config & regs.ENABLE:
        return Plain(read(state, regs.BASE + regs.COUNTER + within, size, now))
    if within or size < 4:
        return None
    width = MASK64 if size == 8 else MASK32
    base = counter.count(state, now) & width
    origin = state.at + counter.elapsed(state, now) * regs.TICK
    until = origin + (width + 1 - base) * regs.TICK
    return Plain(
        base,
        origin=origin,
        numerator=1,
        denominator=regs.TICK,
        until=until if until < timer.NEVER else None,
    )


def write(state: HpetState, address: int, size: int, value: int, now: int) -> Signals:
    """Write a register or half of one."""
    offset = address - regs.BASE
    if size < 4 or offset % size:
        return ()
    signals = timer.advance(state, now)
    low = offset & 4
    kept = MASK32 << (32 - 8 * low) if size == 4 else 0
    if offset - low == regs.CONFIG:
        return signals + _configured(state, value << 8 * low, kept, now)
    _write(state, offset - low, value << 8 * low, kept)
    return signals + lines.settle(state)


def _register(state: HpetState, offset: int, now: int) -> int:
    match offset:
        case regs.CAPABILITIES:
            return regs.CAPABILITIES_VALUE
        case regs.CONFIG:
            return state.config
        case regs.STATUS:
            return state.status
        case regs.COUNTER:
            return counter.count(state, now)
        case _:
            return _timer_register(state, offset, now)


def _timer_at(state: HpetState, offset: int) -> tuple[ComparatorState, int] | None:
    """Return the timer whose register is at `offset`, and which one it is."""
    number, register = divmod(offset - regs.FIRST_TIMER, regs.TIMER_SIZE)
    if not 0 <= number < len(state.timers):
        return None
    return state.timers[number], register


def _timer_register(state: HpetState, offset: int, now: int) -> int:
    chosen = _timer_at(state, offset)
    if chosen is None:
        return 0
    one, register = chosen
    match register:
        case regs.TIMER_CONFIG:
            return one.config | regs.TIMER_CAPABILITIES
        case regs.COMPARATOR:
            ticks = counter.elapsed(state, now)
            return counter.accumulated(one, state.count, ticks)
        case regs.FSB_ROUTE:
            return one.fsb
        case _:
            return 0


def _configured(state: HpetState, value: int, kept: int, now: int) -> Signals:
    """Write the general configuration."""
    before = state.config
    state.config = (before & kept | value & ~kept) & regs.CONFIG_WRITABLE
    changed = before ^ state.config
    if changed & state.config & regs.ENABLE:
        state.at = now
    if not changed & regs.LEGACY:
        return lines.settle(state)
    if state.config & regs.LEGACY:
        return lines.displace(state) + lines.settle(state)
    return lines.settle(state) + lines.displace(state)


def _write(state: HpetState, offset: int, value: int, kept: int) -> None:
    """Write the register at `offset`, but the bits of it that are `kept`."""
    if offset == regs.STATUS:
        state.status &= ~value
    elif offset == regs.COUNTER:
        # What a write to the running counter does is left open; here it is dropped.
        if not state.config & regs.ENABLE:
            state.count = state.count & kept | value & ~kept
    else:
        chosen = _timer_at(state, offset)
        if chosen is not None:
            _write_timer(*chosen, value, kept)


def _write_timer(one: ComparatorState, register: int, value: int, kept: int) -> None:
    match register:
        case regs.TIMER_CONFIG:
            _configure_timer(one, one.config & kept | value & ~kept)
        case regs.COMPARATOR:
            _set(one, value, kept)
        case regs.FSB_ROUTE:
            one.fsb = one.fsb & kept | value & ~kept
        case _:
            pass


def _configure_timer(one: ComparatorState, value: int) -> None:
    """Take a timer's configuration; a route that it has not got reads back as before.

    "Timer N Configuration and Capabilities Register", Tn_INT_ROUTE_CNF.
    """
    if not regs.ROUTE_MASK >> regs.ROUTE.get(value) & 1:
        value = regs.ROUTE.put(value, regs.ROUTE.get(one.config))
    one.config = value & regs.TIMER_WRITABLE
    one.comparator &= counter.mask(one)


def _set(one: ComparatorState, value: int, kept: int) -> None:
    """Take a comparator value: the period of a periodic timer, too.

    The accumulator itself is set by the first write after VAL_SET alone, which clears
    that ("Periodic Mode"); of a pair of dwords that is one.
    """
    width = counter.mask(one)
    is_periodic = bool(one.config & regs.PERIODIC)
    if not is_periodic or one.config & regs.VALUE_SET:
        one.comparator = (one.comparator & kept | value & ~kept) & width
    if is_periodic:
        one.period = (one.period & kept | value & ~kept) & width
    one.config &= ~regs.VALUE_SET
