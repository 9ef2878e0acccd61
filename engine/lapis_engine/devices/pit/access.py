"""Guest accesses to the timer and port 0x61."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.pit import counter, regs, timer
from lapis_engine.plain import Plain
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pit.state import ChannelState, PitState


def read(state: PitState, address: int, size: int, now: int) -> int:
    """Read a count, a latched status, or port 0x61."""
    return bytewise.read(_read, regs.PORTS, state, address, size, now)


def plain(state: PitState, address: int, size: int, now: int) -> Plain | None:
    """Return port 0x61 until OUT of channel 2 moves; bit 4 is the refresh clock."""
    if address != regs.NMISC or size != 1:
        return None
    until = counter.steady_until(state.channels[2], now)
    if until is not None and until <= now:
        return None
    return Plain(
        _nmisc(state, now) & ~regs.REFRESH,
        numerator=regs.HZ,
        denominator=NS * regs.REFRESH_TICKS,
        mask=1,
        shift=regs.REFRESH.bit_length() - 1,
        until=until,
    )


def write(state: PitState, address: int, size: int, value: int, now: int) -> Signals:
    """Write a count, a control word, or port 0x61."""
    written = bytewise.write(_write, regs.PORTS, state, address, size, value, now)
    return written + timer.settle(state, now)


def _read(state: PitState, port: int, now: int) -> int:
    if port == regs.NMISC:
        return _nmisc(state, now)
    if port == regs.CONTROL:
        return bytewise.FLOATING
    channel = state.channels[port - regs.CHANNEL_0]
    if channel.status is not None:
        status, channel.status = channel.status, None
        return status
    return _count_byte(channel, now)


def _nmisc(state: PitState, now: int) -> int:
    value = state.nmisc
    if counter.tick_at(now) // regs.REFRESH_TICKS & 1:
        value |= regs.REFRESH
    if counter.output(state.channels[2], now):
        value |= regs.OUT_2
    return value


def _count_byte(channel: ChannelState, now: int) -> int:
    value = channel.latched
    if value is None:
        value = counter.count(channel, now)
    high = channel.access == regs.HIGH or channel.high_next
    last = high or channel.access == regs.LOW
    channel.high_next = not last
    if last:
        channel.latched = None
    return value >> 8 if high else value & 0xFF


def _write(state: PitState, port: int, value: int, now: int) -> Signals:
    if port == regs.NMISC:
        state.nmisc = value & regs.NMISC_WRITABLE
        counter.set_gate(state.channels[2], bool(value & regs.GATE_2), now)
    elif port == regs.CONTROL:
        _control(state, value, now)
    else:
        _count(state.channels[port - regs.CHANNEL_0], value, now)
    return ()


def _count(channel: ChannelState, value: int, now: int) -> None:
    if channel.access == regs.LOW:
        counter.load(channel, value, now)
    elif channel.access == regs.HIGH:
        counter.load(channel, value << 8, now)
    elif channel.low is None:
        channel.low = value
        if channel.mode == regs.TERMINAL_COUNT:
            channel.running = False  # the first byte stops the counter, OUT is low
    else:
        low, channel.low = channel.low, None
        counter.load(channel, value << 8 | low, now)


def _control(state: PitState, value: int, now: int) -> None:
    select = regs.SELECT.get(value)
    if select == regs.READ_BACK:
        _read_back(state, value, now)
        return
    channel = state.channels[select]
    if regs.ACCESS.get(value) == regs.LATCH:
        _latch(channel, now)
        return
    mode = regs.MODE.get(value)
    channel.mode = mode & 3 if mode >= 6 else mode
    channel.access = regs.ACCESS.get(value)
    channel.reload = 0
    channel.running = channel.high_next = False
    channel.low = channel.latched = channel.status = channel.frozen = None


def _read_back(state: PitState, value: int, now: int) -> None:
    """Latch counts and states of several channels at once."""
    for i, channel in enumerate(state.channels):
        if not value & regs.READ_BACK_FIRST << i:
            continue
        if not value & regs.NO_COUNT:
            _latch(channel, now)
        if not value & regs.NO_STATUS and channel.status is None:
            channel.status = _status(channel, now)


def _latch(channel: ChannelState, now: int) -> None:
    """Hold the count until it is read; a second latch command changes nothing."""
    if channel.latched is None:
        channel.latched = counter.count(channel, now)


def _status(channel: ChannelState, now: int) -> int:
    status = regs.MODE.put(regs.ACCESS.put(0, channel.access), channel.mode)
    if counter.output(channel, now):
        status |= regs.STATUS_OUT
    if not channel.running or counter.elapsed(channel, now) < 0:
        status |= regs.STATUS_NULL
    return status
