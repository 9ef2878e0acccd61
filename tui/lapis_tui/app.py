"""The Textual application: it puts panes on the screen and keys into commands.

It holds no machine. What it knows of one came in a message from the worker, and what it
wants of one goes to the worker as a line of the command registry.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.containers import Container
from textual.widgets import Input

from lapis_tui import layout
from lapis_tui.bindings import bindings
from lapis_tui.panes import results, status
from lapis_tui.panes.apics import ApicsPane
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.command import CommandInput, CommandLine
from lapis_tui.panes.console import ConsolePane
from lapis_tui.panes.events import EventsPane
from lapis_tui.panes.help import HelpScreen
from lapis_tui.panes.inject import InjectScreen
from lapis_tui.panes.pending import AnswerField, PendingPane
from lapis_tui.panes.results import ResultsPane
from lapis_tui.panes.vcpus import VcpusPane
from lapis_tui.theme import LAPIS
from lapis_tui.view import View, after
from lapis_tui.worker import Order, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen
    from textual.widget import Widget

    from lapis_engine.machine import PendingRequest
    from lapis_sessions.session import Session
    from lapis_tui.messages import Done, Failed, Seen

TABS = ("events", "console", "results")
"""Panes that take turns at the bottom of a narrow screen."""
PANES = ("vcpus", "apics", *TABS)


class LapisApp(App[None]):
    """The debugger on a terminal."""

    TITLE = "lapis"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(self, session: Session) -> None:
        """Show `session`, which the worker owns from now on."""
        without_colour = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if without_colour else None)
        self.animation_level = "none"
        self._worker = Worker(session, self.post_message)
        self.session_topics = session.topics()
        """(usage, aliases, help) of every command."""
        self._complete = session.complete
        self.view: View | None = None
        """What is on the screen; None until the first picture."""
        self._waiting = 0
        """Orders that are not done."""
        self._stale = True
        """The picture is older than what was done last."""
        self._tab = self._shown_tab = "events"
        self._zoomed = ""
        self._plan: layout.Plan | None = None

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done and on the screen."""
        return not self._waiting and not self._stale

    # The screen.

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
        yield CommandLine(self._complete)
        yield fixed("keys")

    def on_mount(self) -> None:
        """Start the session's thread."""
        self.register_theme(LAPIS)
        if not self.native_ansi_color:
            self.theme = LAPIS.name
        for name in (*PANES, "pending"):
            self.query_one(f"#{name}").add_class("pane")
        self.query_one(VcpusPane).focus()
        self._worker.start()

    def on_unmount(self) -> None:
        """Stop it."""
        self._worker.close()

    def on_resize(self) -> None:
        """Share the screen out anew."""
        self._arrange()
        self._draw_bars()

    # Messages of the worker.

    def on_seen(self, message: Seen) -> None:
        """Show the machine as it is now."""
        self.view = after(self.view, message.snapshot, running=message.running)
        self.query_one(EventsPane).add(message.events)
        self._arrange()
        self._draw()
        self._stale = message.running
        self._worker.drawn()

    def on_done(self, message: Done) -> None:
        """Say what a command brought; keys are quiet unless they fail."""
        self._waiting -= 1
        self._stale = True
        self.query_one(CommandLine).tell(message.text, ok=message.ok)
        if not message.quiet or not message.ok:
            pane = self.query_one(ResultsPane)
            pane.add(results.render(message.line, message.text, ok=message.ok))
            if len(message.text.splitlines()) > 1:
                self._open_tab("results")

    def on_failed(self, message: Failed) -> None:
        """Say that the thread is gone; the last picture stays to be looked at."""
        self.query_one(CommandLine).tell(f"worker stopped: {message.text}", ok=False)

    # Drawing.

    def _arrange(self) -> None:
        """Give the panes their sizes."""
        view, size = self.view, self.size
        if view is None:
            return
        plan = layout.plan(
            size.width, size.height, len(view.now.vcpus), len(view.now.pending),
            self._zoomed,
        )  # fmt: skip
        if plan == self._plan and self._tab == self._shown_tab:
            return
        self._plan, self._shown_tab = plan, self._tab
        self.view = replace(view, columns=plan.columns)
        self._worker.rows = plan.vcpu_rows
        for name, rows in (
            ("vcpus", plan.vcpu_rows), ("apics", plan.apic_rows),
            ("pending", plan.pending_rows), ("bottom", plan.bottom_rows),
        ):  # fmt: skip
            widget = self.query_one(f"#{name}")
            widget.styles.height = rows
            widget.display = rows > 0
        self._arrange_bottom(plan.bottom)

    def _arrange_bottom(self, way: str) -> None:
        alone = self._zoomed if self._zoomed in TABS else ""
        if way == "tabs":
            alone = alone or self._tab
        for name in TABS:
            self.query_one(f"#{name}").display = alone in {"", name}
        self.query_one("#side").display = alone != "events"
        for each in ("tabs", "two", "three"):
            self.screen_stack[0].set_class(each == way and not alone, f"-{each}")
        self.screen_stack[0].set_class(self.size.height < layout.TALL, "-low")

    def _draw(self) -> None:
        """Show the view in every pane."""
        view = self.view
        if view is None:
            return
        self.query_one(VcpusPane).update(view)
        self.query_one(ApicsPane).update(view)
        self.query_one(PendingPane).update(view.now.pending, view.selected)
        self.query_one(ConsolePane).update(view.now.consoles)
        self._draw_bars()

    def _draw_bars(self, choices: Sequence[str] = ()) -> None:
        view = self.view
        if view is None:
            return
        width, typing = self.size.width, isinstance(self.focused, Input)
        bar = status.render(view, width, typing=typing)
        self.query_one("#status", LinePane).show([bar])
        row = (
            status.choices(choices, width)
            if choices
            else status.keys(
                width, running=view.running, pending=bool(view.now.pending)
            )
        )
        self.query_one("#keys", LinePane).show([row])

    # Fields and the command line.

    def on_command_input_entered(self, message: CommandInput.Entered) -> None:
        """Do a typed line; `q` leaves as it does everywhere."""
        self.action_leave()
        if message.line in {"q", "quit", "exit"}:
            self.exit()
            return
        self._do(message.line, quiet=False)

    def on_command_input_choices(self, message: CommandInput.Choices) -> None:
        """Show what Tab found."""
        self._draw_bars(message.choices)

    def on_answer_field_given(self, message: AnswerField.Given) -> None:
        """Answer the selected vCPU's request."""
        request = self._request()
        if request is not None:
            self._do(f"answer {message.value} {request.vcpu}", quiet=False)
        self.action_leave()

    def on_vcpus_pane_clicked(self, message: VcpusPane.Clicked) -> None:
        """Select what was clicked."""
        self._select(message.vcpu)

    def on_vcpus_pane_cursor_moved(self, message: VcpusPane.CursorMoved) -> None:
        """Move the cursor in the selected vCPU's disassembly."""
        if self.view is not None:
            self.view = self.view.moved(message.by)
            self._draw()

    def on_descendant_focus(self) -> None:
        """Say in the bars where the keys go."""
        self._draw_bars()

    def _do(self, line: str, *, quiet: bool) -> None:
        """Send a line to the worker, unless the guest runs."""
        view = self.view
        if view is None:
            return
        if view.running:
            self.query_one(CommandLine).tell(
                "the guest runs: Ctrl-C breaks in first", ok=False
            )
            return
        self._waiting += 1
        self._worker.order(Order(line, view.selected, quiet))

    def _select(self, vcpu: int) -> None:
        """Look at another vCPU; the session hears of it with the next command."""
        if self.view is not None:
            self.view = self.view.turned(vcpu)
            self._draw()

    # Keys.

    def action_step(self) -> None:
        """Step the selected vCPU."""
        self._do("step", quiet=True)

    def action_continue(self) -> None:
        """Run the machine."""
        self._do("continue", quiet=True)

    def action_interrupt(self) -> None:
        """Copy a selection, else break into the guest, else say how to leave."""
        text = self.screen.get_selected_text() or _selected_in(self.focused)
        if text:
            self.copy_to_clipboard(text)
            self.screen.clear_selection()
            self.query_one(CommandLine).tell("copied")
        elif self._waiting:
            self._worker.interrupt()
        else:
            self.query_one(CommandLine).tell("the guest does not run; q quits")

    def action_turn(self, by: int) -> None:
        """Select the next vCPU, or the one before."""
        if self.view is not None:
            self._select((self.view.selected + by) % len(self.view.now.vcpus))

    def action_breakpoint(self) -> None:
        """Set or remove a breakpoint at the cursor, or at RIP."""
        if self.view is not None:
            at = self.view.cursor
            verb = "delete" if at in self.view.now.breakpoints else "break"
            self._do(f"{verb} {at:#x}", quiet=True)

    def action_answer(self) -> None:
        """Go to the answer field; a write needs no value and is accepted at once."""
        request = self._request()
        if request is not None and request.read:
            self.query_one(AnswerField).focus()
        elif request is not None:
            self._do(f"answer {request.data:#x} {request.vcpu}", quiet=True)

    def action_discard(self) -> None:
        """Discard the request."""
        request = self._request()
        if request is not None:
            self._do(f"discard {request.vcpu}", quiet=True)

    def _request(self) -> PendingRequest | None:
        """Find the request that `a` and `d` are about: the selected vCPU's, or one."""
        view = self.view
        if view is None:
            return None
        waiting = {request.vcpu: request for request in view.now.pending}
        if not waiting:
            self.query_one(CommandLine).tell("nothing is pending", ok=False)
            return None
        if view.selected not in waiting:
            self._select(min(waiting))
        return waiting.get(view.selected, waiting[min(waiting)])

    def action_inject(self) -> None:
        """Open the form for an IPI."""
        view = self.view
        if view is None or len(self.screen_stack) > 1:
            return
        sender = 0 if view.selected else min(1, len(view.now.vcpus) - 1)
        screen = InjectScreen(view.selected, sender, view.now)
        self.push_screen(screen, self._inject)

    def _inject(self, line: str | None) -> None:
        if line is not None:
            self._do(line, quiet=False)

    def action_command(self) -> None:
        """Go to the command line."""
        self.query_one(CommandLine).open(visible=True)

    def action_leave(self) -> None:
        """Go back to the vCPUs, everything as it usually is."""
        self.query_one(CommandLine).open(visible=False)
        if self.view is not None:
            self.view = self.view.turned(self.view.selected)
        self._zoom("")
        self.query_one(VcpusPane).focus()

    def action_pane(self, name: str) -> None:
        """Go to a pane, and show it if it is a tab."""
        self._open_tab(name)
        if self._zoomed:
            self._zoom(name)
        self.query_one(f"#{name}").focus()

    def action_zoom(self) -> None:
        """Give the pane in focus the whole screen, or take it back."""
        name = self.focused.id if self.focused is not None else None
        self._zoom("" if self._zoomed or name not in PANES else name)

    def action_help(self) -> None:
        """Show help."""
        if len(self.screen_stack) == 1:
            self.push_screen(HelpScreen(self.session_topics))

    def _zoom(self, name: str) -> None:
        self._zoomed = name
        self._arrange()
        self._draw()

    def _open_tab(self, name: str) -> None:
        if name in TABS:
            self._tab = name
            self._arrange()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every command in the palette, beside Textual's own."""
        yield from super().get_system_commands(screen)
        for usage, _, text in self.session_topics:
            name = usage.split()[0]
            yield SystemCommand(usage, text, lambda name=name: self._type(name))

    def _type(self, name: str) -> None:
        """Begin a line with `name`."""
        self.action_command()
        field = self.query_one(CommandInput)
        field.value = f"{name} "
        field.cursor_position = len(field.value)


def fixed(name: str) -> LinePane:
    """Make a row that cannot have the focus."""
    pane = LinePane(id=name)
    pane.can_focus = False
    return pane


def _selected_in(widget: Widget | None) -> str:
    return widget.selected_text if isinstance(widget, Input) else ""


def run_app(session: Session) -> None:
    """Show `session` until the user quits."""
    LapisApp(session).run()
