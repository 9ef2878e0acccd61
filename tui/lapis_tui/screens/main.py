"""The main screen: it gives the panes their places and shows them a view.

It knows nothing of sessions or workers; what the user wants done goes on to the app.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from lapis_tui import layout
from lapis_tui.painter import Sketch
from lapis_tui.panes import results, status
from lapis_tui.panes.apics import ApicsPane
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.command import CommandInput, CommandLine
from lapis_tui.panes.console import ConsolePane
from lapis_tui.panes.events import EventsPane
from lapis_tui.panes.pending import PendingPane
from lapis_tui.panes.plugged import PluggedPane
from lapis_tui.panes.results import ResultsPane
from lapis_tui.panes.terminal import TerminalPane
from lapis_tui.panes.vcpus import VcpusPane
from lapis_tui.panes.vga import VgaPane
from lapis_tui.view import View, after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from lapis_engine.events import Logged
    from lapis_sessions.extensions import Pane
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_tui.messages import Painted
    from lapis_tui.panes.command import Completer

TABS = ("events", "console", "results")
"""Panes that take turns at the bottom of a narrow screen."""
CONSOLES = ("terminal", "vga")
"""More of these, which are in view when they are asked for."""
PANES = ("vcpus", "apics", *TABS)


class MainScreen(Screen[None]):
    """Status, vCPUs, APICs, requests, events, console, results, command line, keys."""

    class Ready(Message):
        """The panes are there: a picture can be shown."""

    class Wanted(Message):
        """A pane of a plug-in is in view and has nothing of the present moment."""

        def __init__(self, sketch: Sketch) -> None:
            """Carry what is to be rendered."""
            super().__init__()
            self.sketch = sketch

    def __init__(self, complete: Completer, panes: Sequence[Pane] = ()) -> None:
        """Complete command lines with `complete`; `panes` are those of plug-ins."""
        super().__init__()
        self._plugged = {
            pane.name: PluggedPane(pane, number) for number, pane in enumerate(panes)
        }
        self._tabs = (
            *TABS,
            *CONSOLES,
            *(f"{each.id}" for each in self._plugged.values()),
        )
        self.view: View | None = None
        """What is shown; None until the first picture."""
        self._complete = complete
        self._plan: layout.Plan | None = None
        self._tab = "events"
        self._zoomed = ""
        self._left: Widget | None = None
        """Where the focus was before the command line."""

    def compose(self) -> ComposeResult:
        """Put the panes on the screen, top to bottom."""
        yield fixed("status")
        yield VcpusPane()
        yield ApicsPane()
        yield PendingPane()
        with Container(id="bottom"):
            yield EventsPane()
            with Container(id="side"):
                yield ConsolePane()
                yield ResultsPane()
                yield TerminalPane()
                yield VgaPane()
                yield from self._plugged.values()
        yield CommandLine(self._complete)
        yield fixed("keys")

    def on_mount(self) -> None:
        """Begin at the vCPUs."""
        for name in (*PANES, *self._tabs[len(TABS) :]):
            self.query_one(f"#{name}").add_class("pane")
        self.query_one(VcpusPane).focus()
        self.post_message(self.Ready())

    def on_resize(self) -> None:
        """Share the screen out anew."""
        self.draw()

    # What is shown.

    def see(self, now: Snapshot, events: Sequence[Logged], *, running: bool) -> None:
        """Show the machine as it is now."""
        self.view = after(self.view, now, running=running)
        if not self.query(EventsPane):
            return  # the program ends, and the panes went before this came
        self.query_one(EventsPane).add(events)
        self.draw()

    def work(self, busy: str | None) -> None:
        """Say what is being done that takes a while, or that nothing is."""
        if self.view is not None and self.view.busy != busy:
            self.view = replace(self.view, busy=busy)
            self.draw_bars()

    def forget_events(self) -> None:
        """Show no events until more come: the machine went back."""
        self.query_one(EventsPane).forget()

    def turn(self, vcpu: int) -> None:
        """Look at another vCPU."""
        if self.view is not None:
            self.view = self.view.turned(vcpu)
            self.draw()

    def tell(self, text: str, *, ok: bool = True) -> None:
        """Say `text` in the row of the command line."""
        self.query_one(CommandLine).tell(text, ok=ok)

    def report(self, line: str, text: str, *, ok: bool) -> None:
        """Add a command and what it brought to the results."""
        self.query_one(ResultsPane).add(results.render(line, text, ok=ok))
        if len(text.splitlines()) > 1:
            self.open_tab("results")

    @property
    def code_rows(self) -> int:
        """Instructions of each vCPU that there may be room for."""
        return self._plan.vcpu_rows if self._plan is not None else 24

    def draw(self) -> None:
        """Show the view in every pane."""
        if self.view is None:
            return
        self._arrange()
        view = self.view
        self.query_one(VcpusPane).update(view)
        self.query_one(ApicsPane).update(view)
        self.query_one(PendingPane).update(view.now.pending, view.selected)
        self.query_one(ConsolePane).update(view.now.consoles)
        self.query_one(TerminalPane).update(view.now.consoles)
        self.query_one(VgaPane).update(view.now.screen)
        self._want()
        self.draw_bars()

    def _want(self) -> None:
        """Ask for the pane of a plug-in that is in view."""
        for pane in self._plugged.values():
            if self.view is not None and pane.id == self._tab:
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
        """Show the status and the keys, or instead of keys the `choices` of Tab."""
        view = self.view
        if view is None:
            return
        width, typing = self.size.width, isinstance(self.focused, Input)
        bar = status.render(view, width, typing=typing)
        row = status.choices(choices, width)
        if not choices:
            pending = bool(view.now.pending)
            at_work = view.running or view.busy is not None
            row = status.keys(width, running=at_work, pending=pending, typing=typing)
        self.query_one("#status", LinePane).show([bar])
        self.query_one("#keys", LinePane).show([row])

    # Places.

    def _arrange(self) -> None:
        """Give the panes their sizes."""
        view, size = self.view, self.size
        if view is None:
            return
        plan = layout.plan(
            size.width, size.height, len(view.now.vcpus), len(view.now.pending),
            self._zoomed,
        )  # fmt: skip
        if view.columns != plan.columns:
            self.view = replace(view, columns=plan.columns)
        if plan != self._plan:
            self._plan = plan
            self._set_rows(plan)
            self._set_bottom(plan.bottom)

    def _set_rows(self, plan: layout.Plan) -> None:
        for name, rows in (
            ("vcpus", plan.vcpu_rows), ("apics", plan.apic_rows),
            ("pending", plan.pending_rows), ("bottom", plan.bottom_rows),
        ):  # fmt: skip
            widget = self.query_one(f"#{name}")
            widget.styles.height = rows
            widget.display = rows > 0

    def _set_bottom(self, way: str) -> None:
        alone = self._zoomed if self._zoomed in self._tabs else ""
        if way == "tabs":
            alone = alone or self._tab
        shown = {alone} if alone else self._beside()
        for name in self._tabs:
            self.query_one(f"#{name}").display = name in shown
        self.query_one("#side").display = alone != "events"
        for each in ("two", "three"):
            self.set_class(each == way and not alone, f"-{each}")

    def _beside(self) -> set[str]:
        """Return the tabs that a wide screen shows side by side.

        A pane that was asked for takes the place of console and results.
        """
        return {"events", self._tab} if self._tab not in TABS else set(TABS)

    def open_tab(self, name: str) -> None:
        """Bring a pane of the bottom to the front of a narrow screen."""
        if name in self._tabs and name != self._tab:
            self._tab = name
            if self._plan is not None:
                self._set_bottom(self._plan.bottom)
            self.call_after_refresh(self._want)

    def go(self, name: str) -> None:
        """Give a pane the focus, and the whole screen if another had it."""
        self.open_tab(name)
        if self._zoomed:
            self.zoom(name)
        self.query_one(f"#{name}").focus()

    def go_plugged(self) -> None:
        """Go to the pane of a plug-in, from one of them to the next."""
        names = [f"{each.id}" for each in self._plugged.values()]
        if not names:
            self.tell("no plug-in has a pane", ok=False)
            return
        at = names.index(self._tab) + 1 if self._tab in names else 0
        self.go(names[at % len(names)])

    def zoom(self, name: str = "") -> None:
        """Give a pane the whole screen; without a name, share it again."""
        self._zoomed = name
        self.draw()

    def toggle_zoom(self) -> None:
        """Give the pane in focus the whole screen, or take it back."""
        name = self.focused.id if self.focused is not None else None
        known = name in PANES or name in self._tabs
        self.zoom("" if self._zoomed or name is None or not known else name)

    # The command line.

    def type(self, text: str = "") -> None:
        """Go to the command line and begin it with `text`."""
        if not isinstance(self.focused, Input):
            self._left = self.focused
        self.query_one(CommandLine).open(visible=True)
        field = self.query_one(CommandInput)
        field.value = text
        field.cursor_position = len(text)

    def leave(self) -> None:
        """Leave a field for the pane before it, a pane for the vCPUs as they were."""
        if isinstance(self.focused, Input):
            self.query_one(CommandLine).open(visible=False)
            (self._left or self.query_one(VcpusPane)).focus()
            self._left = None
            return
        if self.view is not None:
            self.view = self.view.turned(self.view.selected)
        self.zoom()
        self.query_one(VcpusPane).focus()

    # Messages of the panes.

    def on_descendant_focus(self) -> None:
        """Say in the bars where the keys go."""
        self.draw_bars()

    def on_command_input_choices(self, message: CommandInput.Choices) -> None:
        """Show what Tab found."""
        self.draw_bars(message.choices)

    def on_terminal_pane_left(self) -> None:
        """Take the keys back from the guest."""
        self.query_one(VcpusPane).focus()

    def on_vcpus_pane_clicked(self, message: VcpusPane.Clicked) -> None:
        """Select what was clicked."""
        self.turn(message.vcpu)

    def on_vcpus_pane_cursor_moved(self, message: VcpusPane.CursorMoved) -> None:
        """Move the cursor in the selected vCPU's disassembly."""
        if self.view is not None:
            self.view = self.view.moved(message.by)
            self.draw()


def fixed(name: str) -> LinePane:
    """Make a row that cannot have the focus."""
    pane = LinePane(id=name)
    pane.can_focus = False
    return pane
