"""The Textual application: it turns keys into commands for the worker.

It holds no machine. What it knows of one came in a message from the worker, and what it
wants of one goes to the worker as a line of the command registry.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.drivers.linux_driver import LinuxDriver
from textual.widgets import Input

from lapis_engine.errors import LapisError
from lapis_tui import layouts, own
from lapis_tui.blocks.asked import entered
from lapis_tui.browser.driver import Page
from lapis_tui.ending import HANG_UP, closing, tell
from lapis_tui.garbage import seldom
from lapis_tui.kept import Kept
from lapis_tui.kept import place as kept_place
from lapis_tui.keyboard import bindings
from lapis_tui.palette import PaletteProvider
from lapis_tui.panes.command import CommandLine
from lapis_tui.panes.events import EventsPane
from lapis_tui.panes.pending import AnswerField
from lapis_tui.panes.requests import RequestsPane
from lapis_tui.panes.terminal import TerminalPane
from lapis_tui.screens.ask import AskScreen
from lapis_tui.screens.help import HelpScreen, about
from lapis_tui.screens.inject import Form, InjectScreen
from lapis_tui.screens.sheet import SheetScreen
from lapis_tui.terminal import Terminal, restorer
from lapis_tui.touring import TouringApp

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.command import Provider
    from textual.driver import Driver
    from textual.widget import Widget

    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.palette import Entry
    from lapis_tui.panes.command import CommandInput
    from lapis_tui.worn import Worn

LOOK_SECONDS = 0.1
"""Between two looks whether somebody wants an end."""


class LapisApp(TouringApp):
    """The debugger on a terminal."""

    TITLE = "lapis"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    COMMANDS: ClassVar[set[type[Provider]]] = {PaletteProvider}  # type: ignore[assignment]  # of Textual's two ways, the plain one

    _injected: Form | None = None
    """What the form for an IPI sent last."""

    def on_mount(self) -> None:
        """Begin to look whether somebody wants an end."""
        if self._ending is not None:
            self.set_interval(LOOK_SECONDS, self._look)

    def get_driver_class(self) -> type[Driver]:
        """Use a terminal that can be closed without harm, where Textual's is used."""
        found = super().get_driver_class()
        return Terminal if found is LinuxDriver else found

    def _look(self) -> None:
        """Leave when somebody wants it, or when nobody can see this any more."""
        if self._ending is None:
            return
        if isinstance(self._driver, Terminal | Page) and self._driver.is_gone:
            self._ending.ask(HANG_UP)
        if self._ending.asked or self.failures:
            self.exit()
        self._rest.look((self._ordered, self._round), is_busy=self._waiting > 0)

    async def on_command_input_entered(self, message: CommandInput.Entered) -> None:
        """Do a typed line: what only the screen knows here, all else in the session."""
        if own.knows(message.line):
            self.main.leave()
            await self._do_own(message.line)
        elif own.is_meant(message.line, self.session_names):
            await self._do_own(message.line)  # which says what was meant
        elif not self._at_work:
            self._entered = message.line
            self._do(message.line, quiet=False)

    async def _do_own(self, line: str) -> None:
        """Do what only the screen knows, also while the guest runs.

        A wrong line is in its field again, with what is wrong.
        """
        try:
            text, ok = await own.perform(self, line), True
        except LapisError as error:
            text, ok = str(error), False
        if text:
            self.main.tell(text, ok=ok)
            self.main.report(line, text, ok=ok)
        if not ok:
            self.main.type(line)  # and once it has the focus:
            self.call_later(lambda: self.main.complain(text))

    def on_terminal_pane_typed(self, message: TerminalPane.Typed) -> None:
        """Type what the keys send, also while the guest runs."""
        self._worker.type(message.data)

    def on_answer_field_given(self, message: AnswerField.Given) -> None:
        """Answer the selected vCPU's request."""
        request = self._request()
        if self._at_work:
            return
        value = entered(message.value, request.bytes) if request is not None else 0
        if isinstance(value, str):
            self.main.complain(value)
            return
        self.main.query_one(AnswerField).value = ""
        self.main.leave()
        if request is not None:
            self._do(f"answer {value:#x} {request.vcpu}", quiet=False)

    def _request(self) -> PendingRequest | None:
        """Find the request that `a` and `d` are about: the selected vCPU's, or one."""
        view = self.view
        waiting = {r.vcpu: r for r in view.now.pending} if view is not None else {}
        if view is None or not waiting:
            self.main.tell("nothing is pending", ok=False)
            return None
        if view.selected not in waiting:
            self.main.turn(min(waiting))
        return waiting.get(view.selected, waiting[min(waiting)])

    # Places on the screen.

    def action_layout(self, name: str) -> None:
        """Show a layout."""
        self.main.show_layout(layouts.layout_of(name))

    def action_reset_layout(self) -> None:
        """Let the layout be as it was drawn."""
        self.main.reset_layout()

    def action_next_pane(self, by: int) -> None:
        """Go to the next pane."""
        self.main.next_pane(by)

    def action_resize(self, way: str, by: int) -> None:
        """Make the pane in focus larger or smaller."""
        self.main.resize_pane(way, by)

    def action_jump(self) -> None:
        """Put a letter on every pane, and go where the next key says."""
        there = self.main.put_letters()

        def chosen(letter: str | None) -> None:
            self.main.take_letters()
            if letter is not None:
                self.main.focus_pane(there[letter])

        self.choose(there, chosen)

    def action_search(self) -> None:
        """Search in the pane in focus; type a command where it cannot be searched."""
        search = getattr(self.focused, "action_search", self.main.type)
        search()

    # Keys, in the order of `bindings.KEYS`.

    def action_step(self) -> None:
        """Step the selected vCPU."""
        self._do("step", quiet=True)

    def action_reverse_step(self) -> None:
        """Take back the last instruction of the selected vCPU."""
        self._do("reverse-step", quiet=True)

    def action_reverse_continue(self) -> None:
        """Go back to the last breakpoint or catch."""
        self._do("reverse-continue", quiet=True)

    def action_continue(self) -> None:
        """Run the machine."""
        self._do("continue", quiet=True)

    def action_interrupt(self) -> None:
        """Copy a selection, else break into the guest, else say how to leave."""
        if isinstance(self.focused, TerminalPane):
            self._worker.type(b"\x03")
            return
        text = self.screen.get_selected_text() or _selected_in(self.focused)
        if text:
            self.copy_to_clipboard(text)
            self.screen.clear_selection()
            self.main.tell("copied")
        elif self._waiting:
            self._worker.interrupt()
        elif not (isinstance(self.focused, EventsPane) and self.focused.break_off()):
            self.main.tell(f"the guest does not run; {self.key_of('quit')} quits")

    def action_turn(self, by: int) -> None:
        """Select the next vCPU, or the one before."""
        if self.view is not None:
            self.main.turn((self.view.selected + by) % len(self.view.now.vcpus))

    def action_breakpoint(self) -> None:
        """Set or remove a breakpoint at the cursor, or at RIP."""
        if self.view is not None:
            at = self.view.cursor
            verb = "delete" if at in self.view.now.breakpoints else "break"
            self._do(f"{verb} {at:#x}", quiet=True)

    def action_inject(self) -> None:
        """Open the form for an IPI."""
        view = self.view
        if view is not None and self.screen is self.main:
            sender = 0 if view.selected else min(1, len(view.now.vcpus) - 1)
            vector = getattr(self.main.focused, "vector", None)
            form = self._injected or Form(to=f"{view.selected}", sender=f"{sender}")
            if vector is not None:
                form = replace(form, mode="fixed", value=f"{vector:#04x}")
            self._opened("inject")
            self.push_screen(InjectScreen(form, view.now), self._inject)

    def _inject(self, form: Form | None) -> None:
        if form is not None:
            self._injected = form
            self._do(form.command(), quiet=False)

    def on_inject_screen_wondered(self, message: InjectScreen.Wondered) -> None:
        """Find out what would become of an IPI, unless the session is at work."""
        if not self._at_work:
            self._do(message.line, quiet=True, is_peek=True)

    def action_answer(self) -> None:
        """Go to the answer field; a write needs no value and is accepted at once."""
        request = self._request()
        if request is not None and "pending" not in self.main.places.boxes:
            self.main.go("requests")
            pane = self.main.query_one(RequestsPane)
            self.call_after_refresh(pane.action_answer)
        elif request is not None and request.read:
            self.main.query_one(AnswerField).focus()
        elif request is not None:
            self._do(f"answer {request.data:#x} {request.vcpu}", quiet=True)

    def action_discard(self) -> None:
        """Discard the request."""
        request = self._request()
        if request is not None:
            self._do(f"discard {request.vcpu}", quiet=True)

    def action_command(self, text: str = "") -> None:
        """Go to the command line."""
        self.main.type(text)

    def action_message(self) -> None:
        """Show the last answer in full."""
        said = self.main.query_one(CommandLine).said
        if said.strip() and self.screen is self.main:
            self.push_screen(SheetScreen("the last answer", said))

    def action_zoom(self) -> None:
        """Give the pane in focus the whole screen, or take it back."""
        self.main.toggle_zoom()

    def action_leave(self) -> None:
        """Leave a field, or break off what is done, or go back to the vCPUs."""
        is_asked = self._entered is not None or not isinstance(self.focused, Input)
        if self._waiting and is_asked:
            self._worker.interrupt()
            self._leave_field()
        else:
            self.main.leave()

    async def action_quit(self) -> None:
        """Leave, if nothing is lost or the user says so."""
        self.part(ask=True)

    def part(self, *, ask: bool) -> None:
        """Leave; with `ask` only if nothing is lost or the user says so."""
        if not ask:
            self.exit()
            return
        view = self.view if self.failure is None else None  # too late to save any
        unsaved = view.now.unsaved if view is not None else 0
        if isinstance(self.screen, AskScreen):
            return
        if not unsaved:
            self.exit()
            return
        acts = "1 act" if unsaved == 1 else f"{unsaved} acts"
        text = (
            f"What was done here is in no recording: {acts}. Leaving forgets that; "
            "`:record start FILE` keeps it, from the beginning on."
        )

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - as Textual calls it
            if yes:
                self.exit()

        self.push_screen(AskScreen("quit?", text, "quit", "stay"), answered)

    def action_help(self) -> None:
        """Show help."""
        if self.screen is self.main:
            self._opened("help")
            self.push_screen(
                HelpScreen(self.session_topics, about(self.focused), self.key_table)
            )

    def choose_entry(self, entry: Entry) -> None:
        """Do an entry of the palette; one that needs an argument is typed so far."""
        if entry.argument is not None:
            self.main.type(entry.line, *entry.argument)
        elif own.knows(entry.line):
            self.call_later(self._do_own, entry.line)
        else:
            self._do(entry.line, quiet=False)


def _selected_in(widget: Widget | None) -> str:
    return widget.selected_text if isinstance(widget, Input) else ""


def run_app(session: Session, ending: Ending, worn: Worn) -> int:
    """Show `session` until the user quits or `ending` is asked for; close it then.

    It looks as `worn` says. Returns the exit status.
    """
    with closing(session, ending):
        app = LapisApp(session, ending, Kept(kept_place()), worn)
        ending.last = restorer()
        before, threading.excepthook = threading.excepthook, app.fail
        try:
            with seldom():
                app.run()
        finally:
            threading.excepthook = before
        for sentence in app.failures:
            tell(sentence)
        if app.failure is not None:
            tell(f"the session failed: {app.failure.what}. {app.failure.saved}")
            tell(f"report: {app.report_file}")
        if app.busy and session.writer is not None:
            # Closing would use the machine, which is in use.
            name, session.writer = session.writer.name, None
            tell(f"the session does not stop: what was recorded is in {name!r}")
    if ending.asked:
        return ending.status
    is_bad = app.failures or app.failure is not None or app.busy
    return int(bool(app.return_code or is_bad))
