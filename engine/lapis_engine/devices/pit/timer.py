"""Channel 0 against time: with each rising edge of OUT IRQ 0 rises.

Edges are exact; edges that were missed do not stack: `advance` gives one for all
of them and stays in phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.device import LineChanged
from lapis_engine.devices.pit.counter import (
    next_edge,
    output,
    skip_to,
    tick_at,
    time_of,
)
from lapis_engine.devices.pit.regs import TERMINAL_COUNT

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pit.state import PitState

IRQ: Final = 0
"""ISA line of channel 0."""


def deadline(state: PitState) -> int | None:
    """Return the ns of the next rising edge of channel 0, or None."""
    edge = next_edge(state.channels[0])
    return None if edge is None else time_of(edge)


def advance(state: PitState, now: int) -> Signals:
    """Let IRQ 0 rise if OUT has risen by `now`."""
    if not skip_to(state.channels[0], tick_at(now)):
        return ()
    rises = LineChanged(IRQ, asserted=True)
    if state.pulses:
        return (rises, LineChanged(IRQ, asserted=False))
    # Not modelled: how long OUT is low. IRQ 0 falls just before it rises anew.
    falls = (LineChanged(IRQ, asserted=False),) if state.up else ()
    state.up = True
    return (*falls, rises)


def holds(state: PitState) -> tuple[LineChanged, ...]:
    """Return IRQ 0 while it is held up."""
    return (LineChanged(IRQ, asserted=True),) if state.up else ()


def settle(state: PitState, now: int) -> Signals:
    """Let IRQ 0 fall when a control word or a count has taken OUT down (mode 0)."""
    channel = state.channels[0]
    is_low = channel.mode == TERMINAL_COUNT and not output(channel, now)
    if not state.up or not is_low:
        return ()
    state.up = False
    return (LineChanged(IRQ, asserted=False),)
