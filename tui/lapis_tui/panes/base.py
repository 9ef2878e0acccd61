"""What every pane has in common: lines shown row by row, selectable, cheap to refresh.

A pane holds the lines that its pure `render` function made and repaints only the rows
that differ from the ones on the screen (a row costs about a third of a pane). What a
line looks like is kept, for most lines come again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.content import Content
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lapis_sessions.text.visible import visible
from lapis_tui.blocks.lines import ELLIPSIS, Line, plain
from lapis_tui.filter import Visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.color import Color
    from textual.filter import LineFilter
    from textual.selection import Selection

    from lapis_sessions.views.wanted import Wanted

    Maker = Callable[[tuple[int, int]], Sequence[Line]]
    """From a size, columns and rows, to lines."""

STEP = 20
"""Cells that a key goes sideways."""
WIDEST = 400
"""Most cells beyond its edge that a pane has room for."""
MOST_STRIPS = 512
"""Painted lines that a pane keeps."""


class LinePane(ScrollView, can_focus=True, inherit_bindings=False):
    """A pane of lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "scroll_up", "up", show=False),
        Binding("j,down", "scroll_down", "down", show=False),
        Binding("ctrl+u,pageup", "page_up", "a page up", show=False),
        Binding("ctrl+d,pagedown", "page_down", "a page down", show=False),
        Binding("g", "scroll_home", "the first line", show=False),
        Binding("G", "scroll_end", "the last line", show=False),
        Binding("L", "sideways(1)", "to the right, where rows are cut", show=False),
        Binding("H", "sideways(-1)", "back to the left", show=False),
    ]
    TITLE: ClassVar[str] = ""
    """What the pane is called."""
    ABOUT: ClassVar[str] = ""
    """What it shows, in two or three sentences, for F1."""
    follows = False
    """Stay at the last line while it is in view."""

    class Wish(Message):
        """A command is to be done, as if it were typed."""

        def __init__(
            self, line: str, *, quiet: bool = True, then: str | None = None
        ) -> None:
            """Carry the line; `quiet` tells that its effect is on the screen.

            `then` is a line that is done after it unless it fails.
            """
            super().__init__()
            self.line = line
            self.quiet = quiet
            self.then = then

    class Sheet(Message):
        """A command is to be done, and what it brings to be shown at leisure."""

        def __init__(self, line: str) -> None:
            """Carry the line."""
            super().__init__()
            self.line = line

    class Hint(Message):
        """Something is to be said in the row of the command line."""

        def __init__(self, text: str) -> None:
            """Carry the sentence."""
            super().__init__()
            self.text = text

    class Begun(Message):
        """A command is to be typed to its end by the user."""

        def __init__(self, text: str, cursor: int, selected: int = 0) -> None:
            """Carry its text, where the cursor is, and how much there is replaced."""
            super().__init__()
            self.text = text
            self.cursor = cursor
            self.selected = selected

    class Asked(Message):
        """The user is to type something, in the row of the command line."""

        def __init__(
            self,
            prompt: str,
            text: str,
            then: Callable[[str], str | None],
            read: Callable[[str], str | None] | None = None,
        ) -> None:
            """Carry a sign for it, what is there already, and what takes the answer.

            `then` returns why it cannot be, or None; the field stays until it can.
            `read` is told what is typed so far, and returns the same of that.
            """
            super().__init__()
            self.prompt = prompt
            self.text = text
            self.then = then
            self.read = read

    class Keyed(Message):
        """The next key is one of several, or leaves."""

        def __init__(
            self, what: str, keys: Mapping[str, str], then: Callable[[str], None]
        ) -> None:
            """Carry what is chosen, the word for each key, and what to do with it."""
            super().__init__()
            self.what = what
            self.keys = keys
            self.then = then

    class Turned(Message):
        """What the pane shows is another part now: `want` is to be asked anew."""

    class Pointed(Message):
        """The cursor that all panes share is to go to an event."""

        def __init__(self, seq: int | None) -> None:
            """Carry its number; None is the last that has happened."""
            super().__init__()
            self.seq = seq

    def __init__(self, title: str = "", *, id: str) -> None:  # noqa: A002
        """Make an empty pane with `title` in its top border."""
        super().__init__(id=id)
        self._behind = ""
        """Names of the panes behind this one."""
        self.call(title)
        self.lines: Sequence[Line] = []
        self._make: Maker | None = None
        self._at_end = True
        self.aside = 0
        """Cells that are out of view on the left."""
        self._spare = 0
        """Cells that lines may be longer than the pane is wide."""
        self._looks: dict[str, Style] = {}
        self._strips: dict[object, Strip] = {}
        """Lines that were painted, by all that they were painted from."""
        self._passage: tuple[Sequence[LineFilter], Color] | None = None
        """What each line passes, and the ground that it is on."""
        self._is_painting = False

    # What is shown.

    def want(self, so_far: Wanted) -> Wanted:
        """Return `so_far` with what this pane shows of the next pictures added."""
        return so_far

    def call(self, title: str) -> None:
        """Put `title` in the top border, and behind it what shares the place."""
        self._called = title
        behind = Content.styled(f"  Tab: {self._behind}", "not bold")
        whole = plain_title(title)
        self.border_title = whole + behind if self._behind else whole

    def stand_before(self, others: str) -> None:
        """Have the top border name the panes that are behind this one."""
        if others != self._behind:
            self._behind = others
            self.call(self._called)

    def draw(self, make: Maker) -> None:
        """Show what `make` returns for the pane's size, now and when that changes."""
        self._make = make
        if self.size.width:
            self.show(make(self.extent))

    @property
    def extent(self) -> tuple[int, int]:
        """Columns and rows to fill; the last column is the scrollbar's.

        There are more columns than are in view while one looks at what is cut.
        """
        width, height = self.size
        return max(width - 1 + self._spare, 0), height

    def show(self, lines: Sequence[Line]) -> None:
        """Show `lines` instead of what is there, repainting only what differs."""
        before, self.lines = self.lines, lines
        width = max((line.width for line in lines), default=0)
        if len(lines) != len(before) or width != self.virtual_size.width:
            self.resize_content(width, len(lines))
            return
        for row, line in enumerate(lines):
            if line != before[row]:
                self.refresh_row(row)

    def row_under(self, event: events.MouseEvent) -> int:
        """Return the row in view that the mouse is on, from 0; -1 on the border."""
        offset = event.get_content_offset(self)
        return -1 if offset is None else offset.y

    def resize_content(self, width: int, rows: int) -> None:
        """Set the size of what is scrolled over; the end stays in view if it was."""
        at_end = self._at_end
        self.virtual_size = Size(width, rows)
        self.refresh()
        if self.follows and at_end:
            self._to_end()

    def _to_end(self) -> None:
        self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        self._at_end = True

    def refresh_row(self, row: int) -> None:
        """Repaint one row of the content, if it is in view."""
        at = row - self.scroll_offset.y
        if 0 <= at < self.size.height:
            self.refresh(Region(0, at, self.size.width, 1))

    def line_at(self, row: int) -> Line | None:
        """Return the line of content row `row`, or None below the last."""
        return self.lines[row] if 0 <= row < len(self.lines) else None

    # Textual's side.

    @property
    def allow_select(self) -> bool:
        """Text of a pane can be selected by the mouse and copied."""
        return True

    def on_resize(self) -> None:
        """Set the lines for the new size."""
        if self._make is not None:
            self.show(self._make(self.extent))
        if self.follows and self._at_end:
            self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Notice whether the end is in view."""
        super().watch_scroll_y(old_value, new_value)
        if self.is_vertical_scroll_end:
            self._at_end = True
        elif new_value < old_value:
            self._at_end = False

    def notify_style_update(self) -> None:
        """Forget the looks of the roles when the theme changes."""
        super().notify_style_update()
        self._looks.clear()
        self._strips.clear()
        self._passage = None

    def look_of(self, roles: str) -> Style:
        """Return the look of one role, or of several with the later ones beneath."""
        look = self._looks.get(roles)
        if look is None:
            look = self._looks[roles] = self._blend(reversed(roles.split()))
        return look

    def _blend(self, roles: Iterable[str]) -> Style:
        """Put one role upon the other; what is reversed has the colours of its ground.

        Else each span of the row under a cursor would be a patch of its own colour.
        """
        look = self.rich_style
        for role in roles:
            styles = self.app.get_component_styles(f"line--{role}")
            look += styles.text_style
            if look.reverse:
                continue
            if styles.has_rule("background"):
                look += Style(bgcolor=styles.background.rich_color)
            if styles.has_rule("color"):
                look += Style(color=styles.color.rich_color)
        return look

    def strip_of(self, line: Line, width: int) -> Strip:
        """Return `line` painted, `width` cells wide."""
        key = *line.spans, line.role, width
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = self._strip(line, width)
        return strip

    def _strip(self, line: Line, width: int) -> Strip:
        under = line.role
        base = self.look_of(under)
        segments = [
            Segment(text, self.look_of(f"{role} {under}") if role else base)
            for text, role in line.spans
        ]
        strip = Strip(segments, line.width).extend_cell_length(width, base)
        if self._passage is None:
            self._passage = self.app.get_line_filters(), self.background_colors[1]
        filters, ground = self._passage
        for each in filters:
            strip = strip.apply_filter(each, ground)
        return strip

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Leave out what every line has passed when it was painted.

        What is left is for the borders, whose titles are visible already: Textual puts
        each row through the filters whenever it paints another.
        """
        passed = ANSIToTruecolor, Visible
        return [f for f in self.app.get_line_filters() if not isinstance(f, passed)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint what is in view."""
        self._is_painting = True
        strips = super().render_lines(crop)
        self._is_painting = False
        return strips

    def render_line(self, y: int) -> Strip:
        """Paint the row `y` of the widget."""
        left, top = self.scroll_offset
        left += self.aside
        width, row = self.size.width, y + top
        line = self.line_at(row)
        if line is None:
            return Strip.blank(width, self.look_of(""))
        strip = self.strip_of(line, left + width)
        if self.text_selection is not None:
            strip = self._selected(strip, line, row)
        strip = self._signed(strip, line, left, width)
        if self._is_painting:
            return strip
        return strip.apply_offsets(left, row)  # somebody asks what the mouse is at

    def _signed(self, strip: Strip, line: Line, left: int, width: int) -> Strip:
        """Return what is in view of a line, with a sign where it goes on."""
        seen = strip.crop(left, left + width)
        if width < 3 or (not left and line.width <= width):
            return seen
        sign = Strip([Segment(ELLIPSIS, self.look_of("dim"))])
        if line.width > left + width and line.plain[left + width :].strip():
            seen = Strip.join([seen.crop(0, width - 1), sign])
        if left and line.plain[: left + 1].strip():
            seen = Strip.join([sign, seen.crop(1, width)])
        return seen

    def action_sideways(self, by: int) -> None:
        """Go to the right, where lines have room then, or back."""
        if by > 0:
            self.aside = min(self.aside + STEP, WIDEST)
            self._spare = max(self._spare, self.aside)
        elif self.aside:
            self.aside -= STEP
        else:
            self._spare = 0
        if self._make is not None:
            self.show(self._make(self.extent))
        self.refresh()

    def _selected(self, strip: Strip, line: Line, row: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(row) if selection is not None else None
        if span is None:
            return strip
        start, end = span
        end = line.width if end == -1 else min(end, line.width)
        if end <= start:
            return strip
        pieces = list(strip.divide([start, end, strip.cell_length]))
        look = self.screen.get_component_rich_style("screen--selection")
        pieces[1] = Strip([Segment(s.text, look) for s in pieces[1]])
        return Strip.join(pieces)

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002
        """Repaint when the mouse selects."""
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, for the clipboard."""
        return selection.extract(plain(self.lines)), "\n"


def fixed(name: str) -> LinePane:
    """Make a row that cannot have the focus."""
    pane = LinePane(id=name)
    pane.can_focus = False
    return pane


def plain_title(text: str) -> Content:
    """Return a title of a border as it is written.

    Textual takes a string for markup: that of a branch's name or of a filter would be
    obeyed, or be an error.
    """
    return Content(visible(text))
