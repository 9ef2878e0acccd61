"""The part of the screen between the bars: panes where a layout puts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.containers import Container
from textual.geometry import Offset, Region, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.message import Message
from textual.strip import Strip

from lapis_tui.filter import InAscii
from lapis_tui.splits import Divider, Places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.filter import LineFilter
    from textual.geometry import Size
    from textual.layout import ArrangeResult
    from textual.widget import Widget

RULE = "│"


class Placed(Layout):
    """Puts each widget where `places` says, by its id."""

    name = "placed"

    def __init__(self) -> None:
        """Put nothing anywhere yet."""
        self.places = Places()

    def arrange(
        self,
        parent: Widget,  # noqa: ARG002 - as Textual calls it
        children: list[Widget],
        size: Size,  # noqa: ARG002
        greedy: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> ArrangeResult:
        """Return the places of those that have one."""
        none, nowhere = Spacing(), Offset()
        return [
            WidgetPlacement(Region(*self.places.boxes[each.id]), nowhere, none, each)
            for each in children
            if each.id in self.places.boxes
        ]


class Body(Container):
    """Holds the panes; a divider between two of them follows the mouse."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"body--rule"}
    DEFAULT_CSS = "Body > .body--rule { color: $lapis-rule; }"

    class Dragged(Message):
        """A divider is to be moved."""

        def __init__(self, divider: Divider, by: int) -> None:
            """Carry it, as it was when the mouse took it, and how far in cells."""
            super().__init__()
            self.divider = divider
            self.by = by

    def __init__(self, *panes: Widget) -> None:
        """Hold `panes`."""
        super().__init__(*panes, id="body")
        self._placed = Placed()
        self._held: tuple[Divider, int] | None = None
        """The divider that the mouse has taken, and where, in cells of the screen."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Leave out what a rule passes as it is: Textual filters at every frame."""
        return [f for f in self.app.get_line_filters() if isinstance(f, InAscii)]

    @property
    def layout(self) -> Layout:
        """The one that has the places."""
        return self._placed

    @property
    def places(self) -> Places:
        """Where the panes are."""
        return self._placed.places

    def place(self, places: Places) -> None:
        """Put the panes elsewhere."""
        self._placed.places = places
        for pane in self.children:
            pane.display = pane.id in places.boxes
        self.refresh(layout=True)

    def render_line(self, y: int) -> Strip:
        """Paint the rules between columns; the panes cover the rest."""
        row = [" "] * self.size.width
        for divider in self.places.dividers:
            box = divider.box
            if divider.way == "columns" and box.y <= y < box.y + box.height:
                row[box.x : box.x + 1] = RULE
        look = self.get_component_rich_style("body--rule")
        return Strip([Segment("".join(row), look)], len(row))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take the divider under the mouse."""
        where = event.screen_offset - self.region.offset
        for divider in self.places.dividers:
            if Region(*divider.box).contains_point(where):
                at = event.screen_y if divider.way == "rows" else event.screen_x
                self._held = divider, at
                self.capture_mouse()
                event.stop()
                return

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the divider along."""
        if self._held is not None:
            divider, at = self._held
            now = event.screen_y if divider.way == "rows" else event.screen_x
            self.post_message(self.Dragged(divider, now - at))

    def on_mouse_up(self) -> None:
        """Let the divider go."""
        if self._held is not None:
            self._held = None
            self.release_mouse()
