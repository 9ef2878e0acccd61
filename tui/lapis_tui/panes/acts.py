"""The acts pane: what was done from outside on this branch, and what comes next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks.lines import Line, count
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from textual.binding import BindingType

    from lapis_sessions.views.history import HistoryAct
    from lapis_tui.view import View


def render(view: View, chosen: int | None, size: tuple[int, int]) -> list[Line]:
    """Return the acts around here; `>` is where the machine is, ahead is dim."""
    width, height = size
    history = view.now.history
    if not history.window:
        return [Line(" nothing was done here yet", "dim")] if height else []
    at = sum(act.done for act in history.window)
    rows = [
        _row(act, width, is_next=n == at, chosen=act.number == chosen)
        for n, act in enumerate(history.window)
    ]
    if at == len(rows):
        rows.append(Line(f"> end of {history.branch}", "label").fit(width))
    first = max(min(at - height // 2, len(rows) - height), 0)
    return rows[first : first + height]


def _row(act: HistoryAct, width: int, *, is_next: bool, chosen: bool) -> Line:
    line = Line(">" if is_next else " ", "title")
    role = "" if act.done else "dim"
    line.add(f"{act.number:>5}  ", "label").add(
        f"{count(act.begin.retired):>13}  ", role
    )
    line.add(act.text, role)
    if act.reason not in {"", "budget"}:
        line.add(f"  stopped: {act.reason}", "held" if act.done else "dim")
    line = line.fit(width)
    line.role = "cursor" if chosen else ""
    return line


class ActsPane(LinePane):
    """The acts; Enter goes to where one is over."""

    TITLE = "acts"
    ABOUT = (
        "What was done to the machine from outside: runs, steps, answers, injections, "
        "each with the instruction at which it began. What is dim lies ahead."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the act before", show=False),
        Binding("j,down", "choose(1)", "the next act", show=False),
        Binding("enter", "goto", "go to where it is over", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="acts")
        self._view: View | None = None
        self._chosen: int | None = None

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.call(f"{self.TITLE} of {view.now.history.branch}")
        self.draw(partial(render, view, self._chosen))

    def action_choose(self, by: int) -> None:
        """Choose another act of those in the window."""
        if self._view is None or not self._view.now.history.window:
            return
        window = self._view.now.history.window
        now = self._chosen if self._chosen is not None else self._view.now.history.done
        lowest, highest = window[0].number, window[-1].number
        self._chosen = max(lowest, min(now + by, highest))
        self.update(self._view)

    def action_goto(self) -> None:
        """Go to where the chosen act is over."""
        if self._chosen is not None:
            self.post_message(self.Wish(f"goto act {self._chosen}"))
