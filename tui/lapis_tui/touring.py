"""The application's tour: it is offered once, begun, gone on with, and left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.looks import LooksApp
from lapis_tui.panes.tour import TourPane
from lapis_tui.tour import GUEST, OFFER, has_tour

if TYPE_CHECKING:
    from lapis_tui.messages import Seen


class TouringApp(LooksApp):
    """An application that shows new users around."""

    async def on_seen(self, message: Seen) -> None:
        """Offer the tour beside the first picture if nothing was kept of this user."""
        is_first = self.main.view is None
        if is_first and has_tour(message.snapshot) and self.kept.greet():
            self.call_later(self.main.tell, OFFER)

    def action_tour(self) -> None:
        """Begin the tour, or go on with its next step."""
        self.main.tell(self.tour())

    def action_leave_tour(self) -> None:
        """Leave the tour."""
        self.main.tell(self.leave_tour())

    def tour(self) -> str:
        """Begin the tour, or go on with its next step; return what is to be said."""
        view = self.main.view
        if view is None or not has_tour(view.now):
            return f"the tour is of {GUEST}: it begins where `lapis {GUEST}` does"
        self.main.query_one(TourPane).begin(self.key_table)
        self.main.draw()
        return ""

    def leave_tour(self) -> str:
        """Leave the tour; return what is to be said."""
        pane = self.main.query_one(TourPane)
        if pane.tour is None:
            return f"there is no tour to be left; {self.key_of('tour')} begins one"
        pane.tour = None
        self.main.draw()
        return f"left the tour; {self.key_of('tour')} begins it anew"

    def _opened(self, name: str) -> None:
        """Know that a box was opened over the panes."""
        self.main.query_one(TourPane).opened = name
        self.main.draw_bars()
