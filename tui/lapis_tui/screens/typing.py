"""A screen with a command line: what is typed on it, and what is said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.widgets import Input
from textual.widgets.input import Selection

from lapis_tui.panes.command import CommandInput, CommandLine
from lapis_tui.panes.pending import AnswerField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widget import Widget

    from lapis_tui.panes.base import LinePane


class TypingScreen(Screen[None]):
    """The part of the main screen that the command line is of."""

    _left: Widget | None = None
    """Where the focus was before the command line."""

    def draw_bars(self, choices: Sequence[str] = ()) -> None:
        """Show the rows around the command line; the main screen has them."""

    def leave(self) -> None:
        """Leave the field; the main screen knows for where."""

    def tell(self, text: str, *, ok: bool = True) -> None:
        """Say `text` in the row of the command line."""
        self.query_one(CommandLine).tell(text, ok=ok)

    def complain(self, why: str) -> None:
        """Say below the field what is wrong with it, until it is right or left."""
        if isinstance(self.focused, CommandInput):
            self.focused.complaint = why
            self.draw_bars()

    def type(self, text: str = "", cursor: int | None = None, count: int = 0) -> None:
        """Go to the command line and begin it with `text`.

        The next key replaces `count` characters from `cursor` on; without one the
        cursor is at the end.
        """
        self.query_one(CommandInput).asked = self.query_one(CommandInput).read = None
        if not isinstance(self.focused, Input):
            self._left = self.focused
        self.query_one(CommandLine).open(visible=True)
        field = self.query_one(CommandInput)
        field.value = text
        field.cursor_position = len(text)
        if cursor is not None:
            field.selection = Selection(cursor, cursor + count)

    def ask(self, message: LinePane.Asked) -> None:
        """Have the user type what a pane asks for."""
        self.type(message.text)
        self.query_one(CommandLine).open(visible=True, prompt=message.prompt)
        field = self.query_one(CommandInput)
        field.asked, field.read = message.then, message.read

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what is wrong with what is typed for a pane."""
        field = self.query_one(CommandInput)
        if isinstance(event.input, AnswerField):
            field.complaint = event.input.wrong
            self.draw_bars()
        if event.input is field and field.asked is not None and field.read is not None:
            field.complaint = field.read(event.value)
            self.draw_bars()

    def on_command_input_told(self, message: CommandInput.Told) -> None:
        """Hand it to the pane; what it cannot be is said, and the field stays."""
        then = self.query_one(CommandInput).asked
        why = then(message.text) if then is not None else None
        if why is None:
            self.leave()
        else:
            self.complain(why)

    def on_command_input_choices(self, message: CommandInput.Choices) -> None:
        """Show what Tab found."""
        self.draw_bars(message.choices)
