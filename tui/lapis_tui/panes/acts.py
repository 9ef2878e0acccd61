"""The acts pane: what was done from outside on this branch, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding

from lapis_sessions.text.visible import quoted
from lapis_tui.blocks.lines import CURSOR, Line, count, signed
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_sessions.views.history import HistoryAct
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View

MOST_DIGITS: Final = 18
LEAST: Final = 16
"""Acts either side that are asked for before the pane has a size."""


def render(view: View, chosen: int | None, size: tuple[int, int]) -> list[Line]:
    """Return the acts about the chosen one, or about here; what is ahead is dim.

    `>` is where the machine is.
    """
    width, height = size
    history, acts = view.now.history, view.now.acts
    if not history.acts:
        return [Line(" nothing was done here yet", "dim")] if height else []
    rows = [
        _row(act, width, is_next=act.number == history.done + 1,
             chosen=act.number == chosen)
        for act in acts
    ]  # fmt: skip
    if acts and acts[-1].number == history.acts == history.done:
        rows.append(Line(f"> end of {history.branch}", "label").fit(width))
    middle = history.done if chosen is None else chosen - 1
    at = sum(act.number <= middle for act in acts)
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
    if chosen:
        line = signed(line, CURSOR)
        line.role = "cursor"
    return line


class ActsPane(LinePane):
    """The acts of all the branch, with a cursor; Enter goes to where one is over."""

    TITLE = "acts"
    ABOUT = (
        "What was done to the machine from outside: runs, steps, answers, injections, "
        "each with the instruction at which it began. What is dim lies ahead. Enter "
        "goes to where the one under the cursor is over; / takes the number of one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the act before", show=False),
        Binding("j,down", "choose(1)", "the next act", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "a page down", show=False),
        Binding("g", "choose(-1_000_000_000)", "the first that is known", show=False),
        Binding("G", "choose(1_000_000_000)", "the last", show=False),
        Binding("enter", "goto", "go to where it is over", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="acts")
        self._view: View | None = None
        self._chosen: int | None = None
        """The act under the cursor; None is where the machine is."""

    @property
    def hints(self) -> Sequence[KeyHint]:
        """What this pane's keys do."""
        return KeyHint("enter", "Enter", "go"), KeyHint("slash", "/", "number")

    def want(self, so_far: Wanted) -> Wanted:
        """Have pictures hold the acts about the cursor."""
        return replace(so_far, acts=max(self.size.height, LEAST), act=self._chosen)

    def update(self, view: View) -> None:
        """Show `view`; on another branch the cursor is where the machine is."""
        before, self._view = self._view, view
        history = view.now.history
        if before is not None and before.now.history.branch != history.branch:
            self._turn(None)
        self.call(f"{self.TITLE} of {history.branch}: {history.done} of {history.acts}")
        self.draw(partial(render, view, self._chosen))

    def _turn(self, chosen: int | None) -> None:
        if chosen != self._chosen:
            self._chosen = chosen
            self.post_message(self.Turned())

    def action_choose(self, by: int) -> None:
        """Move the cursor by so many acts."""
        view = self._view
        if view is None or not view.now.history.acts:
            return
        history = view.now.history
        now = self._chosen if self._chosen is not None else history.done
        self._turn(max(history.given_up + 1, min(now + by, history.acts)))
        self.update(view)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self.action_choose(by * max(self.size.height - 1, 1))

    def action_search(self) -> None:
        """Ask for the number of an act."""
        self.post_message(self.Asked("act", "", self._find))

    def _find(self, text: str) -> str | None:
        view = self._view
        if view is None or not text:
            return None
        history, said = view.now.history, text[:MOST_DIGITS]
        first = history.given_up + 1
        if not text.isascii() or not text.isdigit():
            return f"{quoted(text, MOST_DIGITS)} is no number of an act"
        if not first <= int(said) <= history.acts:
            return f"act {said}: {history.branch} has {first} to {history.acts}"
        self._turn(int(text))
        self.update(view)
        return None

    def action_goto(self) -> None:
        """Go to where the chosen act is over."""
        if self._chosen is not None:
            self.post_message(self.Wish(f"goto act {self._chosen}"))
