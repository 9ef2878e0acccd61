"""What the screen is about at one moment: the snapshot, the one before, the user's eye.

Panes render a `View`; it is as immutable as the snapshots in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    columns: int = 1
    """vCPUs side by side."""
    line: int | None = None
    """Line of the disassembly that the cursor is on, or None: it is at RIP."""

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

    def moved(self, by: int) -> View:
        """Return the view with the cursor `by` lines on."""
        last = max(len(self.vcpu.code) - 1, 0)
        return replace(self, line=max(0, min((self.line or 0) + by, last)))

    def turned(self, vcpu: int) -> View:
        """Return the view with another vCPU selected."""
        return replace(self, selected=vcpu, line=None)


def after(view: View | None, now: Snapshot, *, running: bool) -> View:
    """Return the view when `now` has come after `view`.

    Changes are counted from the last stop: while the guest runs, and when nothing has
    moved, that stays what it was. The selection is the user's until the session moves
    its own.
    """
    if view is None:
        return View(now, now, now.selected, running)
    old = view.now
    moved = (now.now, now.events_total) != (old.now, old.events_total)
    before = view.before if view.running or not moved else old
    line = None if moved else view.line
    chosen = now.selected if now.selected != old.selected else view.selected
    busy = None if not running and moved else view.busy
    return View(now, before, chosen, running, busy, view.columns, line)
