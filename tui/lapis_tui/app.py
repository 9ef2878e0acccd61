"""The Textual application: it turns keys into commands for the worker.

It holds no machine. What it knows of one came in a message from the worker, and what it
wants of one goes to the worker as a line of the command registry.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.drivers.linux_driver import LinuxDriver
from textual.widgets import Input

from lapis_sessions import completion
from lapis_tui import layouts, transport
from lapis_tui.bindings import bindings
from lapis_tui.ending import HANG_UP, closing, tell
from lapis_tui.filter import VISIBLE
from lapis_tui.kept import Kept
from lapis_tui.kept import place as kept_place
from lapis_tui.keyboard import KeyboardApp
from lapis_tui.painter import Painter
from lapis_tui.panes.pending import AnswerField
from lapis_tui.panes.terminal import TerminalPane
from lapis_tui.screens.ask import AskScreen
from lapis_tui.screens.help import HelpScreen
from lapis_tui.screens.inject import InjectScreen
from lapis_tui.screens.jump import JumpScreen
from lapis_tui.screens.main import MainScreen
from lapis_tui.terminal import Terminal, restorer
from lapis_tui.theme import LAPIS
from lapis_tui.worker import Order, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.filter import LineFilter
    from textual.screen import Screen
    from textual.timer import Timer
    from textual.widget import Widget

    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.messages import Busy, Done, Failed, Noticed, Painted, Seen
    from lapis_tui.panes.base import LinePane
    from lapis_tui.panes.command import CommandInput
    from lapis_tui.view import View

LOOK_SECONDS = 0.1
"""Between two looks whether somebody wants an end."""
QUIT = {"q", "quit", "exit"}
"""Lines that leave, though no session knows them; with a ! they ask nothing."""
PATIENCE_SECONDS = 0.5
"""How long keys wait for an order that does not even say that it is being done."""


class LapisApp(KeyboardApp):
    """The debugger on a terminal."""

    TITLE = "lapis"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self,
        session: Session,
        ending: Ending | None = None,
        kept: Kept | None = None,
    ) -> None:
        """Show `session`, which the worker owns from now on, until `ending`.

        What the user makes of the screen is taken from `kept` and goes there.
        """
        without_colour = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if without_colour else None)
        self._ending = ending
        self.failures: list[str] = []
        """What went wrong on one of our threads, a sentence each."""
        self.animation_level = "none"
        panes = tuple(session.extensions.panes.values())
        self.kept = kept if kept is not None else Kept()
        self.main = MainScreen(partial(completion.complete, session), self.kept, panes)
        self._player: Timer | None = None
        """While a recording is played."""
        self._painter = Painter(self.post_message)
        self.session_topics = session.topics()
        """(usage, aliases, help) of every command."""
        self._worker = Worker(session, self.post_message)
        self._waiting = 0
        """Orders that are not done."""
        self._ordered = 0
        """Orders that there have been."""
        self._stale = True
        """The picture is older than what was done last."""
        self._at_work = False
        """What was asked for takes a while: keys no longer wait for it."""

    @property
    def view(self) -> View | None:
        """What is on the screen; None until the first picture."""
        return self.main.view

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done and on the screen."""
        return not self._waiting and not self._stale and self.is_typing_over

    @property
    def holds_keys(self) -> bool:
        """Keys wait for what was asked for and for its picture, unless that is long."""
        is_for_guest = isinstance(self.focused, TerminalPane)
        is_busy = self._waiting > 0 or self._stale
        return is_busy and not self._at_work and not is_for_guest

    def get_default_screen(self) -> MainScreen:
        """Begin with the main screen."""
        return self.main

    def on_mount(self) -> None:
        """Put on the colours."""
        self.register_theme(LAPIS)
        if not self.no_color:
            self.theme = LAPIS.name
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
        if isinstance(self._driver, Terminal) and self._driver.is_gone:
            self._ending.ask(HANG_UP)
        if self._ending.asked or self.failures:
            self.exit()

    def fail(self, args: threading.ExceptHookArgs) -> None:
        """Take what nobody caught on a thread (`threading.excepthook`)."""
        name = args.thread.name if args.thread is not None else "?"
        kind = args.exc_type.__name__
        self.failures.append(f"thread {name!r} failed: {kind}: {args.exc_value}")

    @property
    def busy(self) -> bool:
        """Whether the session is still at work, though it was told to stop."""
        return self._worker.alive

    def on_main_screen_ready(self) -> None:
        """Start the session's thread."""
        self._worker.start()

    def on_unmount(self) -> None:
        """Stop the session's thread, and that of the panes."""
        self._worker.close()
        self._painter.close()
        self.kept.save()

    # Messages of the worker.

    async def on_seen(self, message: Seen) -> None:
        """Show the machine as it is now."""
        if message.running:
            self._begin_work("the guest runs: Ctrl-C breaks in first")
        self.main.see(message)
        self._stale = message.running
        self._worker.rows = self.main.code_rows
        self._worker.drawn()
        await self.next_key()

    def on_busy(self, message: Busy) -> None:
        """Say how far the machine has come on its way to another point."""
        how = f"at {message.at:,}" if message.percent is None else f"{message.percent}%"
        left = "" if message.left is None else f", {message.left:.1f} s left"
        self._work_on(f"going, {how}{left}", message.percent)

    def _work_on(self, what: str, share: int | None = None) -> None:
        if self._waiting:
            self._begin_work(f"{what}: Ctrl-C breaks it off")
            self.main.work(what, share)

    def _begin_work(self, why: str) -> None:
        """Let no key wait any longer, and say so if any did."""
        if self._at_work:
            return
        self._at_work = True
        count = self.give_up_keys()
        if count:
            keys = "1 key was" if count == 1 else f"{count} keys were"
            self.main.tell(f"{why} ({keys} not done)", ok=False)

    def _is_slow(self, order: int) -> None:
        """Say that an order takes long that tells nothing of its way."""
        if self._waiting and order == self._ordered and not self._at_work:
            self._work_on("at work")

    def on_done(self, message: Done) -> None:
        """Say what a command brought; keys are quiet unless they fail."""
        self._waiting -= 1
        self._stale = True
        self._at_work = self._at_work and self._waiting > 0
        self.main.work(None)
        if message.leaves is not None:
            self._ask_to_leave(message, *message.leaves)
            return
        if not message.ok:
            self._stop_playing()
        if message.is_sheet and message.ok:
            self.main.tell("")
            self._open_sheet(message.line, message.text)
            return
        self.main.tell(message.text, ok=message.ok)
        if not message.quiet or not message.ok:
            self.main.report(message.line, message.text, ok=message.ok)

    def _open_sheet(self, line: str, text: str) -> None:
        """Show a result over everything else."""
        self.main.report(line, text, ok=True)

    def _ask_to_leave(self, message: Done, branch: str, new: str) -> None:
        """Ask whether what was to be done may leave the branch; then do it."""
        self.give_up_keys()
        text = (
            f"{message.line}: that is not what was done here. It leaves {branch} for "
            f"{new}; what came after stays on {branch}."
        )

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - as Textual calls it
            if yes:
                self._do(message.line, quiet=message.quiet, may_leave=True)
            else:
                self.main.tell(f"nothing was done; this is still {branch}")

        screen = AskScreen(f"leave {branch}?", text, f"leave for {new}", "stay")
        self.push_screen(screen, answered)

    def on_noticed(self, message: Noticed) -> None:
        """Say what happened beside."""
        self.main.tell(message.text, ok=False)
        self.main.report("", message.text, ok=False)

    def on_main_screen_wanted(self, message: MainScreen.Wanted) -> None:
        """Have the pane of a plug-in rendered."""
        self._painter.paint(message.sketch)

    def on_painted(self, message: Painted) -> None:
        """Show the pane of a plug-in, or say that it failed."""
        self.main.paint(message)
        if message.is_news:
            self.main.tell(message.why, ok=False)
            self.main.report("", message.why, ok=False)

    async def on_failed(self, message: Failed) -> None:
        """Say that the thread is gone; the last picture stays to be looked at."""
        self._waiting, self._stale = 0, False
        if self.main.view is not None:
            self.main.view = replace(self.main.view, running=False, busy=None)
        self.main.tell(f"worker stopped: {message.text}", ok=False)
        await self.next_key()

    # Orders.

    def _do(
        self, line: str, *, quiet: bool, may_leave: bool = False, is_sheet: bool = False
    ) -> None:
        """Send a line to the worker, unless it is at work."""
        view = self.view
        if view is None:
            return
        if self._at_work:
            what = view.busy or "the guest runs"
            self.main.tell(f"{what}: Ctrl-C breaks in first", ok=False)
            return
        self._waiting += 1
        self._ordered += 1
        self._worker.order(Order(line, view.selected, quiet, may_leave, is_sheet))
        self.set_timer(PATIENCE_SECONDS, partial(self._is_slow, self._ordered))

    def on_command_input_entered(self, message: CommandInput.Entered) -> None:
        """Do a typed line; `q` leaves as it does everywhere."""
        if message.line in {f"{word}!" for word in QUIT}:
            self.exit()
        elif message.line in QUIT:
            self.main.leave()
            self._quit()
        elif self._at_work:
            self.main.type(message.line)
        else:
            self.main.leave()
            self._do(message.line, quiet=False)

    def on_terminal_pane_typed(self, message: TerminalPane.Typed) -> None:
        """Type what the keys send, also while the guest runs."""
        self._worker.type(message.data)

    def on_answer_field_given(self, message: AnswerField.Given) -> None:
        """Answer the selected vCPU's request."""
        request = self._request()
        if self._at_work:
            self.main.query_one(AnswerField).value = message.value
            return
        self.main.leave()
        if request is not None:
            self._do(f"answer {message.value} {request.vcpu}", quiet=False)

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

    # Messages of panes.

    def on_line_pane_wish(self, message: LinePane.Wish) -> None:
        """Do what a pane asks for."""
        self._do(message.line, quiet=message.quiet)

    def on_line_pane_sheet(self, message: LinePane.Sheet) -> None:
        """Do what a pane asks for, and show what it brings at leisure."""
        self._do(message.line, quiet=True, is_sheet=True)

    def on_line_pane_hint(self, message: LinePane.Hint) -> None:
        """Say what a pane has to say."""
        self.main.tell(message.text)

    def on_line_pane_keyed(self, message: LinePane.Keyed) -> None:
        """Wait for the key that a pane asks for."""
        words = "  ".join(f"{key} {text}" for key, text in message.keys.items())
        self.main.tell(f"{message.what}:  {words}  (Esc leaves)")

        def chosen(key: str | None) -> None:
            self.main.tell("")
            if key is not None:
                message.then(key)

        self.push_screen(JumpScreen({key: key for key in message.keys}), chosen)

    # Moving in history.

    def _travel(self, line: str | None) -> None:
        """Do a line that moves the machine in its history, if there is one."""
        self._stop_playing()
        view = self.view
        if line is not None:
            self._do(line, quiet=True)
        elif view is not None:
            self.main.tell(f"this is the end of {view.now.branch}: c runs on")

    def action_event(self, by: int) -> None:
        """Go to the event before, or the next."""
        if self.view is not None:
            self._travel(transport.event(self.view, by))

    def action_act(self, by: int) -> None:
        """Go to the act before, or do the next one again."""
        if self.view is not None:
            self._travel(transport.act(self.view, by))

    def action_alike(self, by: int) -> None:
        """Go to the event before, or the next, of the kind under the cursor."""
        if self.view is not None:
            self._travel(transport.alike(self.view, by))

    def action_go(self, where: str) -> None:
        """Go to a place by its name."""
        self._travel(f"goto {where}")

    def action_fork(self) -> None:
        """Leave the branch on purpose."""
        self._do("fork", quiet=False)

    def action_name(self) -> None:
        """Type the command that names this point."""
        self.main.type("checkpoint ")

    def action_play(self) -> None:
        """Play what was done, or pause."""
        view = self.view
        if view is None or view.play is not None:
            self._stop_playing()
        elif view.now.ahead is None:
            self.main.tell(f"nothing lies ahead on {view.now.branch}: c runs on")
        else:
            self._play(transport.PACE)

    def action_pace(self, by: float) -> None:
        """Play slower or faster."""
        if self.view is not None and self.view.play is not None:
            self._play(transport.paced(self.view.play, by))

    def _play(self, pace: float) -> None:
        self._stop_playing()
        self.main.look(play=pace)
        self._player = self.set_interval(1 / pace, self._play_on)

    def _play_on(self) -> None:
        """Go to the next event, once the one before is on the screen."""
        view = self.view
        if view is None or view.now.ahead is None:
            self._stop_playing()
        elif self.idle:
            self._do(transport.event(view, 1) or "play 1", quiet=True)

    def _stop_playing(self) -> None:
        if self._player is not None:
            self._player.stop()
            self._player = None
            self.main.look(play=None)

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
        self.push_screen(JumpScreen(self.main.letters()), self._jump)

    def _jump(self, name: str | None) -> None:
        self.main.letters(shown=False)
        if name is not None:
            self.main.focus_pane(name)

    def action_search(self) -> None:
        """Type a command: this pane has nothing to search."""
        self.main.type()

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
        else:
            self.main.tell("the guest does not run; q quits")

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
            screen = InjectScreen(view.selected, sender, view.now)
            self.push_screen(screen, self._inject)

    def _inject(self, line: str | None) -> None:
        if line is not None:
            self._do(line, quiet=False)

    def action_answer(self) -> None:
        """Go to the answer field; a write needs no value and is accepted at once."""
        request = self._request()
        if request is not None and request.read:
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

    def action_zoom(self) -> None:
        """Give the pane in focus the whole screen, or take it back."""
        self.main.toggle_zoom()

    def action_leave(self) -> None:
        """Leave a field, or break off what is done, or go back to the vCPUs."""
        if self._waiting and not isinstance(self.focused, Input):
            self._worker.interrupt()
        else:
            self.main.leave()

    async def action_quit(self) -> None:
        """Leave, if nothing is lost or the user says so."""
        self._quit()

    def _quit(self) -> None:
        unsaved = self.view.now.unsaved if self.view is not None else 0
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
            self.push_screen(HelpScreen(self.session_topics))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Let nothing to the terminal that it would obey."""
        return [*super().get_line_filters(), VISIBLE]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every command in the palette, beside Textual's own."""
        yield from super().get_system_commands(screen)
        for usage, _, text in self.session_topics:
            begun = f"{usage.split()[0]} "
            yield SystemCommand(usage, text, lambda t=begun: self.action_command(t))


def _selected_in(widget: Widget | None) -> str:
    return widget.selected_text if isinstance(widget, Input) else ""


def run_app(session: Session, ending: Ending) -> int:
    """Show `session` until the user quits or `ending` is asked for; close it then.

    Returns the exit status.
    """
    with closing(session, ending):
        app = LapisApp(session, ending, Kept(kept_place()))
        ending.last = restorer()
        before, threading.excepthook = threading.excepthook, app.fail
        try:
            app.run()
        finally:
            threading.excepthook = before
        for failure in app.failures:
            tell(failure)
        if app.busy and session.writer is not None:
            # Closing would use the machine, which is in use.
            name, session.writer = session.writer.name, None
            tell(f"the session does not stop: what was recorded is in {name!r}")
    if ending.asked:
        return ending.status
    return int(bool(app.return_code or app.failures or app.busy))
