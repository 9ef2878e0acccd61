"""What the screen is about at one moment: the snapshot, the one before, the user's eye.

Panes render a `View`; it is as immutable as the snapshots in it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lapis_tui.past import Past, from_seq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Logged
    from lapis_sessions.views.snapshot import Snapshot, VcpuSnapshot


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot as one user looks at it."""

    now: Snapshot
    before: Snapshot
    """At the stop before: what differs from it is marked."""
    selected: int = 0
    """vCPU that the keys act on."""
    running: bool = False
    busy: str | None = None
    """What is being done that takes a while, other than running."""
    share: int | None = None
    """How much of that is done, in per cent, where it is known."""
    columns: int = 1
    """vCPUs side by side."""
    line: int | None = None
    """Line of the disassembly that the cursor is on, or None: it is at RIP."""
    events: Past = field(default_factory=Past)
    """What has happened. It grows in place, and panes read it only."""
    ahead: Sequence[Logged] = ()
    """What is known to come on this branch, oldest first."""
    at: int | None = None
    """Number of the event that the cursor is on, or None: it is at the last."""
    play: float | None = None
    """Events a second at which the recording is played, or None."""

    @property
    def vcpu(self) -> VcpuSnapshot:
        """The selected vCPU."""
        return self.now.vcpus[self.selected]

    @property
    def cursor(self) -> int:
        """Linear address that the cursor is on."""
        code = self.vcpu.code
        if self.line is None or self.line >= len(code):
            return self.vcpu.linear_rip
        return code[self.line].linear

    @property
    def event(self) -> Logged | None:
        """The event that the cursor is on; None where there is none at all."""
        if self.at is None:
            return self.events[-1] if self.events else None
        for known in (self.events, self.ahead):
            index = bisect_left(known, self.at, key=lambda each: each.seq)
            if index < len(known) and known[index].seq == self.at:
                return known[index]
        return None

    def moved(self, by: int) -> View:
        """Return the view with the cursor `by` lines on."""
        last = max(len(self.vcpu.code) - 1, 0)
        return replace(self, line=max(0, min((self.line or 0) + by, last)))

    def turned(self, vcpu: int) -> View:
        """Return the view with another vCPU selected."""
        return replace(self, selected=vcpu, line=None)


def after(
    view: View | None,
    now: Snapshot,
    *,
    running: bool,
    events: Past | None = None,
    ahead: Sequence[Logged] | None = None,
) -> View:
    """Return the view when `now` has come after `view`.

    Changes are counted from the last stop: while the guest runs, and when nothing has
    moved, that stays what it was. The selection is the user's until the session moves
    its own. What has happened is in `events`, what is known to come in `ahead`; None
    is what the view before had.
    """
    if view is None:
        past = events if events is not None else Past(now.events)
        return View(now, now, now.selected, running, events=past, ahead=ahead or ())
    old = view.now
    moved = (now.now, now.events_total) != (old.now, old.events_total)
    known = view.ahead if ahead is None else ahead
    return replace(
        view,
        now=now,
        before=view.before if view.running or not moved else old,
        selected=now.selected if now.selected != old.selected else view.selected,
        running=running,
        busy=None if not running and moved else view.busy,
        share=None if not running and moved else view.share,
        line=None if moved else view.line,
        events=view.events if events is None else events,
        ahead=from_seq(known, now.events_total),
        at=None if moved and not running else view.at,
    )
