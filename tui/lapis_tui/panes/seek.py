"""The seek bar: the whole branch in one row, and where in it the machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.blocks import bar
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from textual import events

    from lapis_tui.view import View

NAME = 9
"""Cells of the branch's name at most."""
SHARE = 5
"""Cells of the per cent at the right."""


def render(view: View, width: int) -> Line:
    """Return the row; while the machine is on its way, how far it has come."""
    if view.busy is not None:
        return _progress(view, width)
    on = axis(view, width)
    history = view.now.history
    here = None if history.here == history.end else bar.here(view, on)
    line = _head(view).add("├", "rule")
    cells = bar.row(bar.glyphs(on)[0], here, over=bar.signs(view, on))
    line.extend(cells).add("┤", "rule")
    done = history.here.retired - history.begin.retired
    whole = max(history.end.retired - history.begin.retired, 1)
    return line.add(f"{100 * done // whole:>4}%", "label").fit(width)


def _head(view: View) -> Line:
    name = Line(view.now.history.branch).fit(min(NAME, len(view.now.history.branch)))
    return Line(" ").extend(name).add(" ")


def axis(view: View, width: int) -> bar.Axis:
    """Return the axis of the row."""
    return bar.axis(view, max(width - _head(view).width - 2 - SHARE, 2))


def _progress(view: View, width: int) -> Line:
    line = Line(" ").add(f"{view.busy}", "warn")
    tail = Line(" Ctrl-C stays here ", "label")
    room = width - line.width - tail.width - 2
    if view.share is not None and room > 8:
        done = room * view.share // 100
        line.add(" ").add("▓" * done, "good").add("░" * (room - done), "dim")
    return line.extend(tail).fit(width)


class SeekPane(LinePane):
    """The row; a click goes to that place, and so does the end of a drag."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(id="seek")
        self.can_focus = False
        self._view: View | None = None
        self._is_held = False
        self._frame = 0

    def update(self, view: View) -> None:
        """Show `view`; while the guest runs, not at every frame."""
        self._view = view
        self._frame = (self._frame + 1) % bar.SELDOM if view.running else 0
        if not self._frame:
            self.show([render(view, self.size.width)])

    @property
    def allow_select(self) -> bool:
        """The mouse seeks here."""
        return False

    def _target(self, x: int) -> str | None:
        view = self._view
        if view is None or view.busy is not None or view.running:
            return None
        on = axis(view, self.size.width)
        return on.goto(x - _head(view).width - 1)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take the place that the mouse is at."""
        self._is_held = True
        self.capture_mouse()
        event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say where a release would go."""
        target = self._target(event.x) if self._is_held else None
        if target is not None:
            self.post_message(self.Hint(f"goto {target}"))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Go there."""
        if not self._is_held:
            return
        self._is_held = False
        self.release_mouse()
        target = self._target(event.x)
        if target is not None:
            self.post_message(self.Wish(f"goto {target}"))
