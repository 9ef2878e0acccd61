"""The boot pane: a lane a processor, and how far each has come."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_sessions.views.boot import Boot
from lapis_tui.blocks import lanes
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Logged
    from lapis_sessions.views.boot import Moment
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View

STOPS = {
    "i": ("next-event init", "INIT"), "s": ("next-event sipi", "SIPI"),
    "m": ("next-event mode", "mode"), "h": ("next-event halt", "HLT"),
    "f": ("next-event deliver --vcpu {vcpu}", "first interrupt"),
}  # fmt: skip
"""What `b` and a letter stop at: the command, and the word for it."""
ASIDE = 3
"""One row in so many is for the checklists."""


def render(
    view: View, boot: Boot, ahead: Sequence[Moment], size: tuple[int, int]
) -> list[Line]:
    """Return the lanes, and below them the checklists."""
    width, height = size
    cpus, selected = len(view.now.vcpus), view.selected
    shown = lanes.shown(width, cpus, selected)
    below = _below(view, boot, width, max(height // ASIDE, 2))
    room = max(height - len(below) - 1, 1)
    cursor = view.at if view.at is not None else view.now.events_total - 1
    rows = lanes.body(boot, ahead, cursor, shown, (width, room))
    if not rows:
        rows = [Line(" no processor was sent anything yet", "dim").fit(width)]
    blank = [Line().fit(width)] * (room - len(rows))
    out = [lanes.heading(shown, cpus, selected, width), *rows, *blank, *below]
    return out[:height] if height else []


def _below(view: View, boot: Boot, width: int, room: int) -> list[Line]:
    """Return the checklist of each processor, and why the selected one stands."""
    vcpu = view.vcpu
    steps = boot.steps[vcpu.id]
    tail = lanes.why(vcpu.id, steps, _sentence(view), width, max(room // 2, 1))
    tail = tail[: room - 1]
    count = min(len(view.now.vcpus), room - len(tail))
    hidden = len(view.now.vcpus) - count
    if hidden and count > 1:
        count, hidden = count - 1, hidden + 1
        more = Line(f" … {hidden} more vCPUs: n and p go there", "dim")
        tail.insert(0, more.fit(width))
    first = max(min(vcpu.id - count // 2, hidden), 0)
    lists = [
        lanes.checklist(
            n, boot.steps[n], width, selected=n == vcpu.id,
            ran=view.now.vcpus[n].retired > 0,
        )
        for n in range(first, first + count)
    ]  # fmt: skip
    return [*lists, *tail]


def _sentence(view: View) -> str | None:
    """Return why the selected vCPU stands, or gets nowhere; None when it is well."""
    vcpu, found = view.vcpu, view.now.why
    if found is None or found.vcpu != vcpu.id:
        return None if vcpu.why is None else vcpu.why.text
    return found.reasons[0].text if found.reasons else None


class BootPane(LinePane):
    """The lanes; its keys stop at what comes next of a kind."""

    TITLE = "boot"
    ABOUT = (
        "A lane for each processor: INIT and SIPI as arrows from who sent them, what "
        "was ignored or lost with its reason, modes, HLT and the first interrupt. "
        "Below are the steps of each, and why the selected one stands."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "point(-1)", "the moment before", show=False),
        Binding("j,down", "point(1)", "the next moment", show=False),
        Binding("enter", "goto", "go there", show=False),
        Binding("b", "stop_at", "then i s m h f: stop at the next INIT, SIPI, mode, "
            "HLT, first interrupt", show=False),
        Binding("w", "why", "why the selected vCPU stands", show=False),
    ]  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="boot")
        self._view: View | None = None
        self._boot = Boot(1)
        self._generation = -1
        self._ahead: list[Moment] = []
        self._ahead_of: tuple[Sequence[Logged], int] | None = None

    def want(self, so_far: Wanted) -> Wanted:
        """Ask why the selected vCPU stands."""
        return replace(so_far, why=None if self._view is None else self._view.selected)

    def update(self, view: View) -> None:
        """Show `view`."""
        before, self._view = self._view, view
        if before is None or before.selected != view.selected:
            self.post_message(self.Turned())
        self._follow(view)
        self.draw(partial(render, view, self._boot, self._ahead))

    def _follow(self, view: View) -> None:
        """Take the events that have come, or all of them again."""
        is_same = view.events.generation == self._generation
        if not is_same or self._boot.cpus != len(view.now.vcpus):
            self._boot = Boot(len(view.now.vcpus))
            self._generation = view.events.generation
        self._boot.take(view.events.since(self._boot.next_seq))
        key = view.ahead, self._boot.next_seq
        if self._ahead_of != key:
            self._ahead_of = key
            later = self._boot.copy()
            count = len(later.rows)
            later.take(view.ahead)
            self._ahead = later.rows[count:]

    def action_point(self, by: int) -> None:
        """Move the cursor by a row."""
        view = self._view
        if view is None:
            return
        seqs = [each.seq for each in (*self._boot.rows, *self._ahead)]
        cursor = view.at if view.at is not None else view.now.events_total - 1
        at = max((n for n, seq in enumerate(seqs) if seq <= cursor), default=0) + by
        if 0 <= at < len(seqs):
            self.post_message(self.Pointed(seqs[at]))

    def action_goto(self) -> None:
        """Go to the moment under the cursor."""
        if self._view is not None and self._view.at is not None:
            self.post_message(self.Wish(f"goto #{self._view.at}"))

    def action_stop_at(self) -> None:
        """Wait for the letter of what to stop at."""
        choices = {key: text for key, (_, text) in STOPS.items()}
        self.post_message(self.Keyed("stop at", choices, self._stop_at))

    def _stop_at(self, key: str) -> None:
        if self._view is not None:
            line = STOPS[key][0].format(vcpu=self._view.selected)
            self.post_message(self.Wish(line, quiet=False))

    def action_why(self) -> None:
        """Ask why the selected vCPU stands."""
        if self._view is not None:
            self.post_message(self.Sheet(f"why vcpu {self._view.selected}"))
