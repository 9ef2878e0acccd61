"""One counter as a function of time: its count, its output, its rising edges.

Source: Intel 8254 datasheet "Mode Definitions". All arithmetic is on whole ticks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.pit import regs
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.pit.state import ChannelState

PERIODIC: Final = (regs.RATE, regs.SQUARE)
"""Modes that start over by themselves."""
TRIGGERED: Final = (regs.ONE_SHOT, regs.HARDWARE_STROBE)
"""Modes that a rising GATE starts."""


def tick_at(now: int) -> int:
    """Return the number of the last tick at or before `now` ns."""
    return now * regs.HZ // NS


def time_of(tick: int) -> int:
    """Return the first ns at which `tick` has happened."""
    return -(-tick * NS // regs.HZ)


def load(channel: ChannelState, count: int, now: int) -> None:
    """Take a complete count, 0 to 0xFFFF; 0 means 65536."""
    # Not modelled: BCD counting.
    channel.reload = count or 0x1_0000
    if channel.mode in TRIGGERED:
        return
    # Not modelled: in modes 2 and 3 a new count waits for the end of the period.
    _start(channel, now)
    channel.frozen = None if channel.gate else 0


def set_gate(channel: ChannelState, gate: bool, now: int) -> None:  # noqa: FBT001 - the level of a pin
    """Drive the GATE input."""
    if gate == channel.gate:
        return
    channel.gate = gate
    if channel.mode in TRIGGERED:
        if gate:
            _start(channel, now)
    elif not gate:
        channel.frozen = elapsed(channel, now)
    elif channel.mode in PERIODIC:
        _start(channel, now)
    elif channel.frozen is not None:
        channel.started = tick_at(now) - channel.frozen
        channel.frozen = None


def _start(channel: ChannelState, now: int) -> None:
    """Put the count into the counter on the next tick."""
    channel.running = channel.reload != 0
    channel.started = channel.seen = tick_at(now) + 1
    channel.frozen = None


def elapsed(channel: ChannelState, now: int) -> int:
    """Return the ticks that the counter has counted; -1 before it took the count."""
    if channel.frozen is not None:
        return channel.frozen
    return tick_at(now) - channel.started


def count(channel: ChannelState, now: int) -> int:
    """Return the counter's value, 16 bits."""
    reload = channel.reload
    ticks = elapsed(channel, now)
    if not channel.running or ticks < 0:
        return reload & 0xFFFF
    if channel.mode == regs.RATE:
        return (reload - ticks % reload) & 0xFFFF
    if channel.mode == regs.SQUARE:
        phase, high = ticks % reload, (reload + 1) // 2
        even = reload & ~1
        return (even - 2 * (phase % high)) & 0xFFFF
    return (reload - ticks) & 0xFFFF


def output(channel: ChannelState, now: int) -> bool:
    """Return the level of OUT."""
    if not channel.running:
        return channel.mode != regs.TERMINAL_COUNT
    ticks = elapsed(channel, now)
    reload = channel.reload
    match channel.mode:
        case regs.TERMINAL_COUNT:
            return ticks >= reload
        case regs.ONE_SHOT:
            return not 0 <= ticks < reload
        case regs.RATE:
            last = ticks >= 0 and ticks % reload == reload - 1
            return not channel.gate or not last
        case regs.SQUARE:
            high = ticks < 0 or ticks % reload < (reload + 1) // 2
            return not channel.gate or high
        case _:
            return ticks != reload


def steady_until(channel: ChannelState, now: int) -> int | None:
    """Return the ns until which OUT stays as it is at `now`; None is for ever.

    Of the modes that nobody polls it may say `now`, for nothing is known of them.
    """
    if not channel.running or channel.frozen is not None:
        return None
    ticks, reload = elapsed(channel, now), channel.reload
    if channel.mode == regs.TERMINAL_COUNT:
        return None if ticks >= reload else time_of(channel.started + reload)
    if channel.mode == regs.SQUARE and ticks >= 0:
        phase, high = ticks % reload, (reload + 1) // 2
        ends = high if phase < high else reload
        return time_of(channel.started + ticks - phase + ends)
    return now


def next_edge(channel: ChannelState) -> int | None:
    """Return the tick of the first rising edge of OUT after `seen`, or None."""
    if not channel.running or channel.frozen is not None:
        return None
    if channel.mode in PERIODIC:
        # A count of 1 is illegal here (8254 "Mode 2", "Mode 3"): OUT never moves.
        if channel.reload == 1:
            return None
        periods = (channel.seen - channel.started) // channel.reload
        return channel.started + (periods + 1) * channel.reload
    strobe = channel.mode in (regs.SOFTWARE_STROBE, regs.HARDWARE_STROBE)
    edge = channel.started + channel.reload + (1 if strobe else 0)
    return edge if edge > channel.seen else None


def skip_to(channel: ChannelState, tick: int) -> bool:
    """Take note of all rising edges up to `tick`; tell whether there was any."""
    edge = next_edge(channel)
    if edge is None or edge > tick:
        return False
    if channel.mode in PERIODIC:
        edge += (tick - edge) // channel.reload * channel.reload
    channel.seen = edge
    return True
