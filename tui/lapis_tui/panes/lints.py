"""The lints pane: what was found that is seldom meant, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import Linted
from lapis_sessions.views.lints import FoundRow
from lapis_tui.blocks import finding_rows
from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.rows import RowsPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


class LintsPane(RowsPane[FoundRow]):
    """The findings, and the page of each lint."""

    TITLE = "lints"
    ABOUT = (
        "What the guest does that is legal and seldom meant, or works here and not on "
        "a board or another hypervisor: the gravest first, each place once, with how "
        "often. Enter has the page of a lint: what, why, where it bites, how to fix. "
        "`lint` lists all of them, also those that found nothing; `lint on NAME` "
        "switches one on again."
    )
    NOTHING = " nothing found; `lint` lists what is looked for"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "explain", "the page of the lint", show=False),
        Binding("o", "off", "switch the lint off", show=False),
    ]
    hints = (
        KeyHint("enter", "Enter", "explain"), KeyHint("e", "e", "event"),
        KeyHint("o", "o", "off"),
    )  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("lints")

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for the findings."""
        return replace(so_far, lints=True)

    def update(self, view: View) -> None:
        """Show `view`."""
        found = view.now.lints
        self.call(f"{self.TITLE}, {len(found)} found" if found else self.TITLE)
        super().update(view)

    def rows_of(self, view: View) -> Sequence[FoundRow] | None:
        """Return the findings."""
        return view.now.lints

    def heads(self, view: View, width: int) -> list[Line]:  # noqa: ARG002 - the shape of all
        """Return the names of the columns."""
        return finding_rows.heading()

    def row(self, view: View, number: int, width: int) -> Line:  # noqa: ARG002 - as above
        """Return a finding."""
        now = self.rows_of(view)
        assert now is not None, "they are drawn"
        if view.before.lints is None:
            return finding_rows.row(now[number], now[number])
        before = {_key(each): each for each in view.before.lints}
        return finding_rows.row(now[number], before.get(_key(now[number])))

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of a finding."""
        now = self.rows_of(view)
        assert now is not None, "they are drawn"
        return finding_rows.detail(now[number], width)

    def is_about(self, event: Event, row: FoundRow) -> bool:
        """Tell whether an event tells of this finding."""
        return isinstance(event, Linted) and _key(row) == (
            event.name, event.vcpu, event.place,
        )  # fmt: skip

    def action_explain(self) -> None:
        """Show the page of the lint."""
        if self.chosen is not None:
            self.post_message(self.Sheet(f"lint --explain {self.chosen.name}"))

    def action_off(self) -> None:
        """Switch the lint off; its findings stay."""
        if self.chosen is not None:
            self.wish(f"lint off {self.chosen.name}")


def _key(row: FoundRow) -> tuple[str, int, str]:
    return row.name, row.finding.vcpu, row.finding.place
