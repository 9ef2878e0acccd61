"""The application's orders: what it asks of the worker, and what the worker tells.

It holds no machine. What it knows of one came in a message from the worker, and what it
wants of one goes to the worker as a line of the command registry.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lapis_sessions import completion
from lapis_tui import failure, own, palette
from lapis_tui.garbage import Rest
from lapis_tui.kept import Kept
from lapis_tui.keyboard import KeyboardApp
from lapis_tui.painter import Painter
from lapis_tui.panes.command import CommandInput
from lapis_tui.panes.terminal import TerminalPane
from lapis_tui.screens.ask import AskScreen
from lapis_tui.screens.inject import InjectScreen
from lapis_tui.screens.main import MainScreen
from lapis_tui.screens.sheet import SHORT, SheetScreen
from lapis_tui.worker import Order, Worker

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from textual.timer import Timer

    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending
    from lapis_tui.failure import Failure
    from lapis_tui.messages import Busy, Done, Failed, Noticed, Painted, Seen
    from lapis_tui.view import View

PATIENCE_SECONDS = 0.5
"""How long keys wait for an order that does not even say that it is being done."""


class OrdersApp(KeyboardApp):
    """An application before a session that a worker owns."""

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
        self.failure: Failure | None = None
        """Why the session's thread is gone, if it is."""
        self.report_file: Path | str = "there was no failure"
        """Where that can be read, or why nowhere."""
        self.animation_level = "none"
        panes = tuple(session.extensions.panes.values())
        self.kept = kept if kept is not None else Kept()
        self.main = MainScreen(partial(self._complete, session), self.kept, panes)
        self._player: Timer | None = None
        """While a recording is played."""
        self._painter = Painter(self.post_message)
        self.session_topics = session.topics() + own.topics()
        """(usage, aliases, help) of every command, of the screen's own last."""
        self.session_names = tuple(session.registry.names)
        """Of the session's commands."""
        self.entries = palette.entries(session.registry, own.OWN)
        """What the palette offers."""
        self._worker = Worker(session, self.post_message)
        self._waiting = 0
        """Orders that are not done."""
        self._ordered = 0
        """Orders that there have been."""
        self._rest = Rest()
        self._stale = True
        """The picture is older than what was done last."""
        self._entered: str | None = None
        """The line whose field stays open until its answer is there."""
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
        if not self.screen_stack:
            return False  # the program ends, and nobody waits any more
        is_for_guest = isinstance(self.focused, TerminalPane)
        is_busy = self._waiting > 0 or self._stale
        return is_busy and not self._at_work and not is_for_guest

    def get_default_screen(self) -> MainScreen:
        """Begin with the main screen."""
        return self.main

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

    def _stop_playing(self) -> None:
        if self._player is not None:
            self._player.stop()
            self._player = None
            self.main.look(play=None)

    # Messages of the worker.

    async def on_seen(self, message: Seen) -> None:
        """Show the machine as it is now."""
        if message.running:
            self._begin_work("the guest runs: Ctrl-C breaks in first")
        self.main.see(message)
        self._stale = message.running
        self._worker.drawn()
        await self.next_key()

    def on_main_screen_looked(self, message: MainScreen.Looked) -> None:
        """Have the next pictures hold what the panes in view show."""
        self._stale = self._worker.alive  # keys wait for what they are about
        self._worker.look(message.wanted)

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
        self._leave_field()
        count = self.give_up_keys()
        if count:
            keys = "1 key was" if count == 1 else f"{count} keys were"
            self.main.tell(f"{why} ({keys} not done)", ok=False)

    def _leave_field(self) -> None:
        """Leave the field of the line that was entered, if it is still there."""
        entered, self._entered = self._entered, None
        if entered is not None and isinstance(self.main.focused, CommandInput):
            self.main.leave()

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
        if message.is_peek:
            if isinstance(self.screen, InjectScreen) and message.ok:
                self.screen.tell(message.line, message.result)
            return
        if self._entered is not None and message.is_wrong:
            self._refuse(message)
            return
        self._leave_field()
        if message.leaves is not None:
            self._ask_to_leave(message, *message.leaves)
            return
        if not message.ok:
            self._stop_playing()
        elif message.then is not None:
            self._do(message.then, quiet=message.quiet)
        if message.is_sheet and message.ok:
            self.main.tell("")
            self._open_sheet(message.line, message.text)
            return
        self.main.tell(message.text, ok=message.ok)
        is_long = len(message.text.splitlines()) > SHORT
        if message.ok and not message.quiet and is_long:
            self._open_sheet(message.line, message.text)
        elif not message.quiet or not message.ok:
            self.main.report(message.line, message.text, ok=message.ok)

    def _refuse(self, message: Done) -> None:
        """Say what is wrong with the line in the field, which stays as it is."""
        self._entered = None
        self._stop_playing()
        self.main.tell(message.text, ok=False)
        self.main.report(message.line, message.text, ok=False)
        self.main.complain(message.text)

    def _open_sheet(self, line: str, text: str) -> None:
        """Show a result over everything else; it stands in the results as well."""
        self.main.report(line, text, ok=True)
        self.push_screen(SheetScreen(line, text))

    def _ask_to_leave(self, message: Done, branch: str, new: str) -> None:
        """Ask whether what was to be done may leave the branch; then do it."""
        self.give_up_keys()
        text = (
            f"{message.line}: that is not what was done here. It leaves {branch} for "
            f"{new}; what came after stays on {branch}."
        )

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - as Textual calls it
            if yes:
                self._do(
                    message.line, quiet=message.quiet, may_leave=True, then=message.then
                )
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
        """Tell what failed and what is saved; the last picture can be looked at."""
        self._waiting, self._stale, self._at_work = 0, False, False
        self.failure = message.failure
        self._stop_playing()
        self._leave_field()
        self.give_up_keys()
        if self.main.view is not None:
            self.main.view = replace(self.main.view, running=False, busy=None)
        text = failure.report(message.failure)
        self.report_file = failure.keep(text, self.kept.folder)
        self.main.tell(f"the session failed: {message.failure.what}", ok=False)
        self.main.report("", text, ok=False)

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - as Textual calls it
            if yes:
                self.exit()

        told = failure.told(message.failure, self.report_file)
        stay = "stay, to look at the last picture"
        self.push_screen(AskScreen("the session failed", told, "quit", stay), answered)
        await self.next_key()

    # Orders.

    def _do(
        self, line: str, *, quiet: bool, may_leave: bool = False,
        is_sheet: bool = False, then: str | None = None, is_peek: bool = False,
    ) -> None:  # fmt: skip
        """Send a line to the worker, unless it is at work; `then` follows if ok."""
        view = self.view
        if view is None:
            return
        if self.failure is not None:
            leave = self.key_of("quit")
            self._entered = None
            why = f"the session failed, and does no more: {leave} quits"
            self.main.tell(why, ok=False)
            self.main.complain(why)
            return
        if self._at_work:
            what = view.busy or "the guest runs"
            self.main.tell(f"{what}: Ctrl-C breaks in first", ok=False)
            return
        self._waiting += 1
        self._ordered += 1
        self._worker.order(
            Order(line, view.selected, quiet, may_leave, is_sheet, then, is_peek)
        )
        self.set_timer(PATIENCE_SECONDS, partial(self._is_slow, self._ordered))

    def _complete(self, session: Session, line: str) -> list[str]:
        """Complete a command line, be it the session's or the screen's own.

        While the worker is at work nobody else looks into the session: then only what
        the commands are is known, and no names.
        """
        there = session if not self._waiting else None
        found = completion.within(session.registry, line, there)
        found += completion.within(own.OWN, line)
        return list(dict.fromkeys(found))
