"""The command line: one row, with history and completion, and the last answer.

While it is not used, the row says what the last command brought. What the commands
are, and how they are completed, is the registry's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label

from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    Completer = Callable[[str], Sequence[str]]
    """From a line to what its last word may become, as whole lines."""


KEPT: Final = 1_000
"""Lines that the history keeps, the newest ones."""


class History:
    """Lines that were entered, and a place among them."""

    def __init__(self) -> None:
        """Start without a line."""
        self.lines: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """Remember `line`, unless it repeats the one before, and go to the end."""
        if self.lines[-1:] != [line]:
            self.lines.append(line)
            del self.lines[:-KEPT]
        self._at = len(self.lines)

    def move(self, by: int, current: str) -> str:
        """Go `by` lines, -1 to the older; return the line there.

        What was being typed is kept below the newest.
        """
        if self._at == len(self.lines):
            self._draft = current
        self._at = max(0, min(self._at + by, len(self.lines)))
        if self._at == len(self.lines):
            return self._draft
        return self.lines[self._at]

    def latest(self, prefix: str) -> str | None:
        """Return the newest line that begins with `prefix`."""
        found = (line for line in reversed(self.lines) if line.startswith(prefix))
        return next(found, None)


class HistorySuggester(Suggester):
    """Suggests the newest line that begins alike, else the only completion."""

    def __init__(self, history: History, complete: Completer) -> None:
        """Look in `history` first, then ask `complete`."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._history, self._complete = history, complete

    async def get_suggestion(self, value: str) -> str | None:
        """Return what the rest of the line may be."""
        if not value:
            return None
        latest = self._history.latest(value)
        if latest is not None:
            return latest
        choices = self._complete(value)
        return choices[0] if len(choices) == 1 else None


def shared(words: Sequence[str]) -> str:
    """Return what all of `words` begin with.

    >>> shared(["vcpu", "vcpus"]), shared(["step", "quit"])
    ('vcpu', '')
    """
    low, high = min(words), max(words)
    for index, char in enumerate(low):
        if char != high[index : index + 1]:
            return low[:index]
    return low


class CommandInput(Input):
    """The field of the command line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "history(-1)", "Older", show=False),
        Binding("down", "history(1)", "Newer", show=False),
        Binding("tab", "complete", "Complete", show=False),
    ]

    class Entered(Message):
        """A line was entered."""

        def __init__(self, line: str) -> None:
            """Carry the line."""
            super().__init__()
            self.line = line

    class Told(Message):
        """What a pane asked for was typed."""

        def __init__(self, text: str) -> None:
            """Carry it, as it was typed."""
            super().__init__()
            self.text = text

    class Choices(Message):
        """Tab found several ways to go on."""

        def __init__(self, choices: Sequence[str]) -> None:
            """Carry them, last words only."""
            super().__init__()
            self.choices = choices

    def __init__(self, complete: Completer) -> None:
        """Complete with `complete`."""
        self.history = History()
        self.complete = complete
        self.asked: Callable[[str], str | None] | None = None
        """Who takes what is typed, where a pane asked for it."""
        self.read: Callable[[str], str | None] | None = None
        """Who is told what is typed so far, and says what is wrong with it."""
        self.complaint: str | None = None
        """What is wrong with what was entered last."""
        suggester = HistorySuggester(self.history, complete)
        super().__init__(
            id="command-input", compact=True, suggester=suggester, select_on_focus=False
        )

    def action_history(self, by: int) -> None:
        """Go to an older or a newer line."""
        if self.asked is not None:
            return
        self.value = self.history.move(by, self.value)
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Complete the last word as far as it is certain."""
        if self.asked is not None:
            return
        choices = list(self.complete(self.value))
        if not choices:
            return
        common = shared(choices)
        if len(choices) == 1:
            common = choices[0].rstrip() + " "
        if len(common) > len(self.value):
            self.value = common
            self.cursor_position = len(common)
        words = [choice.rstrip().rpartition(" ")[2] for choice in choices]
        self.post_message(self.Choices(words if len(words) > 1 else ()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line over."""
        event.stop()
        if self.asked is not None:
            self.post_message(self.Told(event.value.strip()))
            return
        line = event.value.strip().removeprefix(":").strip()
        if line:
            self.history.add(line)
            self.post_message(self.Entered(line))


class CommandLine(Horizontal):
    """The row: a field while it is used, else the last answer."""

    def __init__(self, complete: Completer) -> None:
        """Make the row."""
        super().__init__(id="command")
        self.message = LinePane(id="message")
        self.message.can_focus = False
        self.said = ""
        """The last answer, of which the row shows what fits of its first line."""
        self.prompt = Label(":", id="prompt")
        self.input = CommandInput(complete)

    def compose(self) -> ComposeResult:
        """Set message and field at the same place."""
        yield self.message
        yield self.prompt
        yield self.input

    def on_mount(self) -> None:
        """Begin with the message."""
        self.open(visible=False)

    def open(self, *, visible: bool, prompt: str = ":") -> None:
        """Show the field behind a sign for what it is, or the message."""
        self.input.complaint = None
        self.prompt.update(prompt)
        self.message.display = not visible
        self.prompt.display = self.input.display = visible
        if visible:
            self.screen.set_focus(self.input)  # at once: a key may be there already

    def tell(self, text: str, *, ok: bool = True) -> None:
        """Say `text`; a failure has a `!` before it."""
        self.said = text
        self.message.show([told(text, ok=ok)])


def told(text: str, *, ok: bool) -> Line:
    """Return the last answer as a line."""
    first = next((row for row in text.splitlines() if row.strip()), "")
    if ok:
        return Line(f" {first}", "")
    return Line(" ! ", "bad").add(first, "warn")
