"""The time pane: the branch as lanes, with its notes, named points and forks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_tui.blocks import bar, lines
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual import events

    from lapis_tui.view import View

HEAD = 8
"""Cells of the names at the left."""
TAIL = 12
"""Cells of the count at the right."""
MARKED = 3
"""One row in so many is for marks: there may be many branches."""


def render(view: View, size: tuple[int, int]) -> list[Line]:
    """Return the branch, a lane for each vCPU, marks, other branches, and where."""
    width, height = size
    on = bar.axis(view, max(width - HEAD - TAIL - 2, 2))
    history = view.now.history
    at_end = history.here == history.end
    here = None if at_end else bar.here(view, on)
    rows = bar.glyphs(on, len(view.now.vcpus))
    main = _headed(history.branch).add("├", "rule")
    main.extend(bar.row(rows[0], here)).add("┤", "rule")
    main.add(f" {lines.count(history.end.retired)}", "label")
    out = [main.fit(width)]
    known = _marks(view, on, width)
    marks = known[: max(height // MARKED, 1)]
    room = max(height - len(marks) - 2, 0)
    lanes = _lanes(view, rows, here, width, room)
    hidden = len(view.now.vcpus) - len(lanes) + len(known) - len(marks)
    return [*out, *lanes, *marks, where(view, width, hidden)][: max(height, 1)]


def _headed(name: str) -> Line:
    whole = Line(name, "label")
    head = whole if whole.width <= HEAD - 2 else whole.fit(HEAD - 2)
    return Line(" ").extend(head).pad(HEAD)


def _lanes(
    view: View, rows: Sequence[Sequence[str]], here: int | None, width: int, room: int
) -> list[Line]:
    """Return as many lanes as there is room for, that of the selected vCPU first."""
    count = len(view.now.vcpus)
    first = max(min(view.selected, count - room), 0)
    out = []
    for number in range(first, min(first + room, count)):
        kinds = rows[number + 1]
        line = _headed(f"v{number}{'>' if number == view.selected else ''}").add(" ")
        out.append(line.extend(bar.row(kinds, here, " ")).fit(width))
    return out


def _marks(view: View, on: bar.Axis, width: int) -> list[Line]:
    """Return rows of notes, of named points, and of branches that left this one."""
    history = view.now.history
    out = []
    notes = (
        (bar.of_note(on, view, note), f"{bar.NOTE}{n}")
        for n, note in enumerate(history.notes, 1)
    )
    names = (
        (bar.place(on, point.at), f"{bar.POINT}{point.name}")
        for point in history.named
        if point.branch == history.branch
    )
    for head, marks in (("notes", notes), ("points", names)):
        line = _set(head, marks)
        if line is not None:
            out.append(line.fit(width))
    for branch in history.branches:
        if branch.parent == history.branch and branch.fork is not None:
            start = bar.place(on, branch.fork)
            line = _headed(branch.name).add(" " * (start + 1)).add("└──", "rule")
            out.append(
                line.add(f" {lines.count(branch.end.retired)}", "dim").fit(width)
            )
    return out


def _set(head: str, marks: Iterable[tuple[int, str]]) -> Line | None:
    """Return marks at their cells, as far as each fits beside the one before."""
    line, at = _headed(head).add(" "), 0
    for cell, text in sorted(marks):
        if cell < at:
            continue
        line.add(" " * (cell - at)).add(text, "changed")
        at = cell + len(text) + 1
        line.add(" ")
    return line if at else None


def where(view: View, width: int, hidden: int = 0) -> Line:
    """Say where the machine is, what comes next, and how many rows have no room."""
    history = view.now.history
    line = _headed("where").add(" ")
    line.add(f"#{max(history.here.seq - 1, 0)}  ", "strong")
    line.add(f"{lines.count(history.here.retired)} instructions  ")
    line.add(f"{lines.time(history.here.now)}  ")
    line.add(f"act {history.done} of {history.acts}", "label")
    if hidden:
        line.add(f"   … {hidden} more rows, z", "dim")
    ahead = next((act for act in history.window if not act.done), None)
    if ahead is not None:
        line.add("   next: ", "label").add(ahead.text)
    return line.fit(width)


class TimePane(LinePane):
    """The lanes; a click goes to that place."""

    TITLE = "time"
    ABOUT = (
        "The branch from its beginning to its end: events by their glyphs, a lane for "
        "each vCPU, notes, named points, and where other branches leave it. A click "
        "goes there; what is dim lies ahead."
    )

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="time")
        self._frame = 0
        self._view: View | None = None

    def update(self, view: View) -> None:
        """Show `view`; while the guest runs, not at every frame."""
        self._view = view
        self._frame = (self._frame + 1) % bar.SELDOM if view.running else 0
        if not self._frame:
            self.draw(partial(render, view))

    def on_click(self, event: events.Click) -> None:
        """Go to the place that was clicked."""
        view = self._view
        if view is None or view.running or view.busy is not None:
            return
        width, _ = self.extent
        on = bar.axis(view, max(width - HEAD - TAIL - 2, 2))
        cell = event.x + self.aside - HEAD - 1
        if 0 <= cell < on.width:
            self.post_message(self.Wish(f"goto {on.goto(cell)}"))
