"""The branches pane: which there are, where each left which, and where we are."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks import branch_tree
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import ActionHint, KeyHint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from lapis_tui.blocks.branch_tree import TreeRow
    from lapis_tui.view import View


class BranchesPane(LinePane):
    """The tree, with a cursor: Enter goes there, D tells what differs from here."""

    TITLE = "branches"
    ABOUT = (
        "Each branch below the one that it left, named points where they are; `>` is "
        "the branch that the machine is on. Enter goes to the end of one, or to a "
        "point; D tells what differs there from here. `fork` begins a branch here, "
        "and `checkpoint` gives this point a name."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the one above", show=False),
        Binding("j,down", "choose(1)", "the one below", show=False),
        Binding("enter", "goto", "go there", show=False),
        Binding("D", "diff", "what differs there from here", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="branches")
        self._view: View | None = None
        self._rows: list[TreeRow] = []
        self._chosen: tuple[str, str] | None = None
        """The key of the row under the cursor; None is the present branch."""

    @property
    def hints(self) -> Sequence[KeyHint | ActionHint]:
        """What this pane's keys do."""
        return (
            KeyHint("enter", "Enter", "go"), KeyHint("D", "D", "differs"),
            ActionHint("fork", "fork"), ActionHint("name", "name"),
        )  # fmt: skip

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        history = view.now.history
        self._rows = branch_tree.tree(history)
        total = history.branches_total
        hidden = total - len(history.branches)
        self.call(f"{self.TITLE}, {total}{f', {hidden} not shown' if hidden else ''}")
        self.draw(partial(branch_tree.render, self._rows, history, self._index))

    @property
    def _index(self) -> int:
        """The row under the cursor: that of the present branch if it is gone."""
        keys = [row.key for row in self._rows]
        if self._chosen in keys:
            return keys.index(self._chosen)
        branch = self._view.now.history.branch if self._view is not None else ""
        here = ("branch", branch)
        return keys.index(here) if here in keys else 0

    def action_choose(self, by: int) -> None:
        """Move the cursor."""
        if self._view is None or not self._rows:
            return
        index = max(0, min(self._index + by, len(self._rows) - 1))
        self._chosen = self._rows[index].key
        self.update(self._view)

    def action_goto(self) -> None:
        """Go to the end of the branch, or to the point, under the cursor."""
        if self._rows:
            row = self._rows[self._index]
            verb = "branch" if row.kind == "branch" else "goto"
            self.post_message(self.Wish(f"{verb} {shlex.quote(row.name)}"))

    def action_diff(self) -> None:
        """Tell on a sheet what differs there from where the machine is."""
        if self._rows:
            name = shlex.quote(self._rows[self._index].name)
            self.post_message(self.Sheet(f"diff {name}"))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; twice goes there."""
        height = self.extent[1]
        first = max(min(self._index - height // 2, len(self._rows) - height), 0)
        row = self.row_under(event)
        index = first + row
        if self._view is None or row < 0 or index >= len(self._rows):
            return
        self._chosen = self._rows[index].key
        self.update(self._view)
        if event.chain > 1:
            self.action_goto()
