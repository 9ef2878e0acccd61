"""The main screen: it gives the panes their places and shows them a view.

It knows nothing of sessions or workers; what the user wants done goes on to the app.
"""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from lapis_sessions.views.wanted import Wanted
from lapis_tui import layouts
from lapis_tui.blocks import vcpu_columns
from lapis_tui.blocks.lines import Line
from lapis_tui.painter import Sketch
from lapis_tui.panes import status
from lapis_tui.panes.base import LinePane, fixed
from lapis_tui.panes.body import Body
from lapis_tui.panes.command import CommandInput, CommandLine
from lapis_tui.panes.keys import ActionHint, KeyHint, KeysPane
from lapis_tui.panes.memory import MemoryPane
from lapis_tui.panes.ours import PANES
from lapis_tui.panes.plugged import PluggedPane
from lapis_tui.panes.results import ResultsPane
from lapis_tui.panes.seek import SeekPane
from lapis_tui.panes.tour import TourPane
from lapis_tui.past import Past
from lapis_tui.screens.typing import TypingScreen
from lapis_tui.splits import Box, Places, Sharing, names
from lapis_tui.view import View, after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from lapis_sessions.extensions import Pane
    from lapis_tui.kept import Kept
    from lapis_tui.messages import Painted, Seen
    from lapis_tui.panes.command import Completer
    from lapis_tui.panes.terminal import TerminalPane
    from lapis_tui.panes.vcpus import VcpusPane
    from lapis_tui.panes.walk import WalkPane

CHROME = 4
"""Rows of status, seek bar, command line and keys."""


class MainScreen(TypingScreen, inherit_bindings=False):
    """Status, seek bar, the panes of a layout, command line, keys.

    Its keys are the application's: Textual's Tab knows no pane that is behind another.
    """

    class Ready(Message):
        """The panes are there: a picture can be shown."""

    class Wanted(Message):
        """A pane of a plug-in is in view and has nothing of the present moment."""

        def __init__(self, sketch: Sketch) -> None:
            """Carry what is to be rendered."""
            super().__init__()
            self.sketch = sketch

    class Looked(Message):
        """Panes are in view that show what the pictures do not hold, or others less."""

        def __init__(self, wanted: Wanted) -> None:
            """Carry what pictures are to hold from now on."""
            super().__init__()
            self.wanted = wanted

    def __init__(
        self, complete: Completer, kept: Kept, panes: Sequence[Pane] = ()
    ) -> None:
        """Complete command lines with `complete`; `panes` are those of plug-ins.

        What the user makes of the screen goes into `kept`.
        """
        super().__init__()
        self._plugged = {
            pane.name: PluggedPane(pane, number) for number, pane in enumerate(panes)
        }
        self.view: View | None = None
        """What is shown; None until the first picture."""
        self.kept = kept
        self.layout_ = layouts.layout_of(kept.layout)
        """The layout that is shown."""
        self._complete = complete
        self._past = Past()
        self._wanted = Wanted()
        self._front: dict[tuple[str, ...], str] = {}
        self._arranged: tuple[object, ...] | None = None
        """What the present places were made from."""
        self._there: dict[str, Widget] = {}
        """Every pane by its name, whether in view or not."""
        self._rows: tuple[Widget, ...] = ()
        """What the screen is made of, top to bottom."""
        self._zoomed = ""
        self.places = Places()
        """Where the panes are."""
        self._titles: list[tuple[Widget, str | None]] = []
        """What panes were called before they had a letter."""
        self._failed: set[str] = set()
        """Panes that have failed; each is told once."""

    def compose(self) -> ComposeResult:
        """Put the panes on the screen, top to bottom."""
        panes = [*(kind() for kind in PANES), *self._plugged.values()]
        self._there = {f"{pane.id}": pane for pane in panes}
        for pane in panes:  # before they are styled, which takes a while
            pane.add_class("pane")
        self._rows = (
            fixed("status"), SeekPane(), Body(*panes), TourPane(),
            CommandLine(self._complete), KeysPane(),
        )  # fmt: skip
        yield from self._rows

    def on_mount(self) -> None:
        """Begin where the layout begins."""
        self.post_message(self.Ready())

    def on_resize(self) -> None:
        """Share the screen out anew."""
        self.draw()

    # What is shown.

    def see(self, seen: Seen) -> None:
        """Show the machine as it is now."""
        if seen.anew:
            self._past.begin(seen.events)
        else:
            self._past.add(seen.events)
        is_first = self.view is None
        self.view = after(
            self.view,
            seen.snapshot,
            running=seen.running,
            events=self._past,
            ahead=seen.ahead,
        )
        if not self._is_whole:
            return  # the program ends, and the panes went before this came
        self.draw()
        if is_first:
            self.focus_pane(self.layout_.first)

    def work(self, busy: str | None, share: int | None = None) -> None:
        """Say what is being done that takes a while, or that nothing is.

        `share` is how much of it is done, in per cent, where that is known.
        """
        if self.view is not None and (self.view.busy, self.view.share) != (busy, share):
            self.view = replace(self.view, busy=busy, share=share)
            self.draw_bars()

    def look(self, **changes: object) -> None:
        """Show the same moment in another way: `changes` are fields of the view."""
        if self.view is not None:
            self.view = replace(self.view, **changes)  # type: ignore[arg-type]
            self.draw()

    def turn(self, vcpu: int) -> None:
        """Look at another vCPU."""
        if self.view is not None:
            self.view = self.view.turned(vcpu)
            self.draw()

    def report(self, line: str, text: str, *, ok: bool) -> None:
        """Add a command and what it brought to the results."""
        self.query_one(ResultsPane).add(line, text, ok=ok)
        if len(text.splitlines()) > 1:
            self.open_tab("results")

    def draw(self) -> None:
        """Show the view in every pane that is in view."""
        if self.view is None or not self._is_whole:
            return  # before the first picture, and when the program ends
        self._arrange()
        self._look()
        for pane in self._panes():
            if not isinstance(pane, PluggedPane):
                self._update(pane, self.view)
        self._want()
        self.draw_bars()

    def on_walk_pane_chosen(self, message: WalkPane.Chosen) -> None:
        """Show an entry of a page table in the memory."""
        self.query_one(MemoryPane).go_to(message.at, physical=True)
        self.go("memory")

    def _look(self) -> None:
        """Ask for pictures that hold what the panes in view show."""
        wanted = Wanted()
        for pane in self._panes():
            if isinstance(pane, LinePane):
                wanted = pane.want(wanted)
        if wanted != self._wanted:
            self._wanted = wanted
            self.post_message(self.Looked(wanted))

    def _update(self, pane: Any, view: View) -> None:
        """Show the view in a pane; one that raises says so in its place."""
        try:
            pane.update(view)
        except Exception as error:  # noqa: BLE001 - of one pane, and not of the screen
            why = f"this pane failed: {type(error).__name__}: {error}"
            if pane.id not in self._failed:
                self._failed.add(pane.id)
                self.tell(f"pane {pane.id} failed: {type(error).__name__}", ok=False)
            if isinstance(pane, LinePane):
                pane.draw(lambda _size: [Line(f" {why}", "bad")])

    @property
    def _is_whole(self) -> bool:
        """Whether all is there: it is made late, and goes one by one in the end."""
        return bool(self._rows) and all(row in self.children for row in self._rows)

    def _panes(self) -> Iterator[Any]:
        """Yield the panes in view, in the order of the layout."""
        for name in self.places.boxes:
            pane = self._there[name]
            if pane.is_attached:  # none is when the program ends
                yield pane

    def _want(self) -> None:
        """Ask for the panes of plug-ins that are in view."""
        for pane in self._plugged.values():
            if self.view is not None and pane.id in self.places.boxes:
                sketch = Sketch(pane.pane, self.view.now, pane.extent)
                self.post_message(self.Wanted(sketch))

    def paint(self, message: Painted) -> None:
        """Show what a plug-in made."""
        pane = self._plugged[message.name]
        if message.why:
            pane.give_up(message.why)
        else:
            pane.paint(message.rows)

    def draw_bars(self, choices: Sequence[str] = ()) -> None:
        """Show status, seek bar and keys, or instead of keys the `choices` of Tab."""
        view = self.view
        if view is None or not self.query(KeysPane):
            return  # before the first picture, and when the program ends
        typing = isinstance(self.focused, Input)
        bar = status.render(view, self.size.width, typing=typing)
        self.query_one("#status", LinePane).show([bar])
        self.query_one(SeekPane).update(view)
        self.query_one(TourPane).update(view, self.layout_.name)
        keys = self.query_one(KeysPane)
        keys.complaint = self.query_one(CommandInput).complaint
        keys.update(view, self.layout_, choices, self._hints(), typing=typing)

    def _hints(self) -> Sequence[KeyHint | ActionHint]:
        """Return the keys that the pane in focus wants in the row."""
        return getattr(self.focused, "hints", ())

    # Places.

    def _arrange(self) -> None:
        """Give the panes their places."""
        view, size = self.view, self.size
        if view is None:
            return
        facts = (
            size, len(view.now.vcpus), len(view.now.pending), self.layout_.name,
            self._zoomed, tuple(self._front.items()), self.kept.changes,
            self.query_one(TourPane).rows,
        )  # fmt: skip
        if facts == self._arranged:
            return
        self._arranged = facts
        places = self.places = self._placed()
        self.query_one(Body).place(places)
        for tabs in places.tabs:
            for name in tabs:
                others = " ".join(self._name_of(each) for each in tabs if each != name)
                self.query_one(f"#{name}", LinePane).stand_before(others)
        box = places.boxes.get("vcpus") or places.boxes.get("apics")
        if box is not None:
            count = vcpu_columns.fitting(box.width, box.height, len(view.now.vcpus))
            self.view = replace(view, columns=count)

    def _name_of(self, name: str) -> str:
        """Return what a pane is called; of a plug-in's not its id."""
        pane = self.query_one(f"#{name}")
        return pane.pane.name if isinstance(pane, PluggedPane) else name

    def _placed(self) -> Places:
        view, (width, height) = self.view, self.size
        assert view is not None
        tour = self.query_one(TourPane)
        box = Box(0, 0, width, max(height - CHROME - tour.rows, 1))
        drawn = self.layout_.fitting(width, height)
        plugged = [f"{pane.id}" for pane in self._plugged.values()]
        cpus = len(view.now.vcpus)
        hidden = cpus > vcpu_columns.fitting(width, height, cpus)
        sharing = Sharing(
            layouts.needs(len(view.now.pending), hidden, plugged),
            self._front,
            self.kept.shares_of(self._variant),
        )
        if self._zoomed:
            return Places({self._zoomed: box})
        return sharing.place(layouts.with_plugged(drawn.tree, plugged), box)

    @property
    def _variant(self) -> str:
        """The name under which the shares of the present tree are kept."""
        drawn = self.layout_.fitting(*self.size)
        return f"{self.layout_.name} {drawn.width}x{drawn.height}"

    def on_body_dragged(self, message: Body.Dragged) -> None:
        """Move a divider, and keep where it is."""
        divider = message.divider
        shares = divider.moved(message.by)
        self.kept.share(self._variant, divider.path, shares)
        self.draw()

    def resize_pane(self, way: str, by: int) -> None:
        """Make the pane in focus larger or smaller, by so many cells."""
        box = self.places.boxes.get(self.focused_name)
        if box is None:
            return
        for divider in self.places.dividers:
            at, edge = divider.box, box.y + box.height
            if divider.way == way == "rows" and at.y in {edge, box.y}:
                sign = 1 if at.y == edge else -1
            elif divider.way == way == "columns" and at.x in {
                box.x + box.width, box.x - 1,
            }:  # fmt: skip
                sign = 1 if at.x > box.x else -1
            else:
                continue
            self.on_body_dragged(Body.Dragged(divider, sign * by))
            return

    def show_layout(self, layout: layouts.Layout) -> None:
        """Show a layout, and begin in its first pane; if it is shown, go on there."""
        if layout.first == layouts.PLUGGED and not self._plugged:
            self.tell("no plug-in has a pane", ok=False)
            return
        if layout is self.layout_:
            self.next_pane(1)
            return
        self._zoomed = ""
        self.layout_ = layout
        self.kept.choose(layout.name)
        self.draw()
        self.focus_pane(layout.first)

    def focus_pane(self, name: str) -> None:
        """Give a pane of the layout the focus, and bring it to the front."""
        self.open_tab(name)
        if name == layouts.PLUGGED:
            name = next(iter(self.places.boxes), name)
        if self._zoomed and self._zoomed != name:
            self.zoom(name)
        for pane in self.query(f"#{name}"):
            (pane if pane.can_focus else self).focus()

    @property
    def focused_name(self) -> str:
        """The pane that has the focus, or nothing."""
        widget = self.focused
        while widget is not None:
            if widget.id in self.places.boxes:
                return widget.id
            widget = widget.parent if widget.parent is not self else None  # type: ignore[assignment]
        return ""

    def next_pane(self, by: int) -> None:
        """Go to the next pane of the layout, those behind a tab as well."""
        tree = layouts.with_plugged(
            self.layout_.fitting(*self.size).tree,
            [f"{pane.id}" for pane in self._plugged.values()],
        )
        there = [n for n in names(tree) if self.query_one(f"#{n}").can_focus]
        if not there:
            return
        at = there.index(self.focused_name) if self.focused_name in there else -by
        self.focus_pane(there[(at + by) % len(there)])

    def open_tab(self, name: str) -> None:
        """Bring a pane to the front of those that share its place."""
        for tabs in self.places.tabs:
            if name in tabs and name not in self.places.boxes:
                self._front[tabs] = name
                self.draw()

    def go(self, name: str) -> None:
        """Go to a pane, in a layout that has it."""
        here = layouts.holding(name, self.layout_, *self.size)
        if here is not self.layout_:
            self.show_layout(here)
        self.focus_pane(name)

    def zoom(self, name: str = "") -> None:
        """Give a pane the whole screen; without a name, share it again."""
        self._zoomed = name
        self.draw()

    def put_letters(self) -> dict[str, str]:
        """Put a letter before the title of each pane; return panes by letter."""
        there = [pane for pane in self._panes() if pane.can_focus]
        found = dict(zip(ascii_lowercase, there, strict=False))
        self._titles = [(pane, pane.border_title) for pane in found.values()]
        for letter, pane in found.items():
            title = Content.from_markup(pane.border_title or "")
            pane.border_title = Content(f"[{letter}] ") + title
        return {letter: f"{pane.id}" for letter, pane in found.items()}

    def take_letters(self) -> None:
        """Give the panes their titles back."""
        for pane, title in self._titles:
            pane.border_title = title
        self._titles = []

    def reset_layout(self) -> None:
        """Let the layout be as it was drawn."""
        self.kept.forget(self._variant)
        self.draw()

    def toggle_zoom(self) -> None:
        """Give the pane in focus the whole screen, or take it back."""
        self.zoom("" if self._zoomed else self.focused_name)

    def leave(self) -> None:
        """Leave a field for the pane before it, a pane for the layout as it was."""
        if isinstance(self.focused, Input):
            self.query_one(CommandLine).open(visible=False)
            self.query_one(CommandInput).asked = None
            self.draw_bars()
            left, self._left = self._left, None
            if left is not None and left.id in self.places.boxes:
                self.set_focus(left)  # at once: the next key may be there already
            else:
                self.focus_pane(self.layout_.first)
            return
        if self.view is not None:
            self.view = replace(self.view.turned(self.view.selected), at=None)
        self.zoom()
        self.focus_pane(self.layout_.first)

    # Messages of the panes.

    def on_descendant_focus(self) -> None:
        """Say in the bars where the keys go."""
        self.draw_bars()

    def on_terminal_pane_left(self, message: TerminalPane.Left) -> None:
        """Take the keys back from the guest."""
        if message.by:
            self.next_pane(message.by)
        else:
            self.show_layout(layouts.LAYOUTS[0])

    def on_vcpus_pane_clicked(self, message: VcpusPane.Clicked) -> None:
        """Select what was clicked."""
        self.turn(message.vcpu)

    def on_vcpus_pane_cursor_moved(self, message: VcpusPane.CursorMoved) -> None:
        """Move the cursor in the selected vCPU's disassembly."""
        if self.view is not None:
            self.view = self.view.moved(message.by)
            self.draw()

    def on_vcpus_pane_register_chosen(self) -> None:
        """Show the cursor, and its keys."""
        self.draw()

    def on_line_pane_turned(self) -> None:
        """Have the next pictures hold what the pane has turned to."""
        self._look()

    def on_line_pane_pointed(self, message: LinePane.Pointed) -> None:
        """Put the cursor that all panes share on an event."""
        self.look(at=message.seq)
