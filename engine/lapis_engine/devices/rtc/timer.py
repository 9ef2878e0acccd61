"""When the clock interrupts next, and ISA line 8.

The line is up while C has a flag that B enables; a read of C takes it down, and as a
read cannot signal it falls 1 ns later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import LineChanged
from lapis_engine.devices.rtc import clock, regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.rtc.state import RtcState


def deadline(state: RtcState) -> int | None:
    """Return the ns at which the line moves next, or None."""
    if is_pending(state):
        return state.settle_at  # it is up, and cannot be more so
    found = state.settle_at
    for flag in (regs.PF, regs.AF, regs.UF):
        if not state.enables & flag:
            continue
        at = clock.following(state, flag)
        if at is not None and (found is None or at < found):
            found = at
    return found


def advance(state: RtcState, now: int) -> Signals:
    """Let the line follow what has happened by `now`; what is new is a new edge."""
    falls: Signals = ()
    if state.settle_at is not None and state.settle_at <= now:
        falls = _fall(state)
    clock.catch_up(state, now)
    return falls + settle(state)


def settle(state: RtcState) -> Signals:
    """Bring the line to where it belongs."""
    if is_pending(state) == state.line:
        return ()
    if state.line:
        return _fall(state)
    state.line = True
    return (LineChanged(regs.IRQ, asserted=True),)


def holds(state: RtcState) -> tuple[LineChanged, ...]:
    """Return ISA line 8 while it is held up."""
    return (LineChanged(regs.IRQ, asserted=True),) if state.line else ()


def is_pending(state: RtcState) -> bool:
    """Tell whether C has a flag that B enables: IRQF."""
    return bool(state.flags & state.enables)


def _fall(state: RtcState) -> Signals:
    state.settle_at = None
    was, state.line = state.line, False
    return (LineChanged(regs.IRQ, asserted=False),) if was else ()
