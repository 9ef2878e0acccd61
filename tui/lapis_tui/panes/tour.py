"""The tour's box: two rows of text above the command line, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line, wrap
from lapis_tui.panes.base import LinePane
from lapis_tui.tour import Stage, Tour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_tui.bindings import Key
    from lapis_tui.view import View

ROWS: Final = 3
"""Of the box: its title, and the text at 80 columns."""


class TourPane(LinePane):
    """The box. It never has the focus."""

    def __init__(self) -> None:
        """Be no tour."""
        super().__init__(id="tour")
        self.can_focus = False
        self.display = False
        self.tour: Tour | None = None
        self.opened: str | None = None
        """What was opened last over the panes, since the present step began."""

    @property
    def rows(self) -> int:
        """Rows that the panes have less."""
        return ROWS if self.tour is not None else 0

    def begin(self, table: Sequence[Key]) -> None:
        """Begin a tour, or go on with the present one though a step is not done.

        It names keys as `table` has them.
        """
        self.opened = None
        if self.tour is None:
            self.tour = Tour(table)
        else:
            self.tour.skip()

    def update(self, view: View, layout: str) -> None:
        """Go on past what is done, and show what is to be done now."""
        tour = self.tour
        self.display = tour is not None
        if tour is None:
            return
        before = tour.number
        tour.see(Stage(view, layout, self.opened))
        if tour.number != before:
            self.opened = None
        self.call(tour.title)
        text = tour.step.text
        self.draw(lambda size: [Line(f" {row}") for row in wrap(text, size[0] - 2)])
