"""Keys and panes that move the machine in its history, and what panes ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui import transport
from lapis_tui.orders import OrdersApp

if TYPE_CHECKING:
    from lapis_tui.panes.base import LinePane


class TravelsApp(OrdersApp):
    """An application that goes back and forth."""

    # Messages of panes.

    def on_line_pane_wish(self, message: LinePane.Wish) -> None:
        """Do what a pane asks for."""
        self._do(message.line, quiet=message.quiet, then=message.then)

    def on_line_pane_sheet(self, message: LinePane.Sheet) -> None:
        """Do what a pane asks for, and show what it brings at leisure."""
        self._do(message.line, quiet=True, is_sheet=True)

    def on_line_pane_hint(self, message: LinePane.Hint) -> None:
        """Say what a pane has to say."""
        self.main.tell(message.text)

    def on_line_pane_asked(self, message: LinePane.Asked) -> None:
        """Have the user type what a pane asks for."""
        self.main.ask(message)

    def on_line_pane_begun(self, message: LinePane.Begun) -> None:
        """Type the beginning of a command."""
        self.main.type(message.text, message.cursor, message.selected)

    def on_line_pane_keyed(self, message: LinePane.Keyed) -> None:
        """Wait for the key that a pane asks for."""
        words = "  ".join(f"{key} {text}" for key, text in message.keys.items())
        text = f"{message.what}:  {words}"
        tail = "  (any other key leaves)"
        has_room = len(text) + len(tail) < self.size.width
        self.main.tell(text + tail if has_room else text)

        def chosen(key: str | None) -> None:
            self.main.tell("")
            if key is not None:
                message.then(key)

        self.choose(message.keys, chosen)

    # Moving in history.

    def _travel(self, line: str | None) -> None:
        """Do a line that moves the machine in its history, if there is one."""
        self._stop_playing()
        view = self.view
        if line is not None:
            self._do(line, quiet=True)
        elif view is not None and view.now.ahead is None:
            self.main.tell(f"this is the end of {view.now.branch}: c runs on")
        elif view is not None:
            self.main.tell("the cursor is on no event: nothing says of which kind")

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
            self._do(transport.event(view, 1) or "goto end", quiet=True)
