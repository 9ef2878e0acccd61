"""Keys that move in a history, as lines of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapis_tui.view import View

PACE: Final = 4.0
"""Events a second at which a recording is played at first."""
SLOWEST, FASTEST = 0.5, 64.0


def event(view: View, by: int) -> str | None:
    """Return how to go to the event before or after; None at the end of the branch.

    Several happen in one instruction, and the machine stands only after them all: the
    one before is where it stood before, and not the last number but one.
    """
    if by > 0:
        if view.ahead:
            return f"goto #{view.ahead[0].seq}"
        return None if view.now.ahead is None else "next-event any"
    return "previous-event any" if view.now.events_total else "goto start"


def act(view: View, by: int) -> str | None:
    """Return how to go to the end of the act before, or of the next one."""
    history = view.now.history
    if by > 0:
        return None if view.now.ahead is None else "play 1"
    done = history.done
    return f"goto act {done - 1}" if done > 1 else "goto start"


def alike(view: View, by: int) -> str | None:
    """Return how to go to an event of the kind under the cursor; None without one."""
    here = view.event
    if here is None:
        return None
    verb = "next-event" if by > 0 else "previous-event"
    return f"{verb} {here.event.kind}"


def paced(pace: float, by: float) -> float:
    """Return another pace.

    >>> paced(4.0, 2), paced(0.5, 0.5)
    (8.0, 0.5)
    """
    return min(max(pace * by, SLOWEST), FASTEST)
