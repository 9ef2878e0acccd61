"""Channel 0 against time: each rising edge of OUT is a pulse of IRQ 0.

Edges are exact; edges that were missed do not stack: `advance` gives one pulse for all
of them and stays in phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import LineChanged
from lapis_engine.devices.pit.counter import next_edge, skip_to, tick_at, time_of

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pit.state import PitState

IRQ = 0
"""ISA line of channel 0."""


def deadline(state: PitState) -> int | None:
    """Return the ns of the next rising edge of channel 0, or None."""
    edge = next_edge(state.channels[0])
    return None if edge is None else time_of(edge)


def advance(state: PitState, now: int) -> Signals:
    """Pulse IRQ 0 if it has risen by `now`."""
    # Not modelled: IRQ 0 as the level of OUT; it falls as soon as it has risen.
    if not skip_to(state.channels[0], tick_at(now)):
        return ()
    return (LineChanged(IRQ, asserted=True), LineChanged(IRQ, asserted=False))
