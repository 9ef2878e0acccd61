"""The inject screen (i): build an interprocessor interrupt and read what it says.

It makes a line for the command `ipi` and nothing else: the command does the work, and
the line is one that could have been typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from lapis_tui.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

MODES = ("fixed", "lowest", "nmi", "smi", "init", "sipi", "raw")
"""As the command `ipi` names them."""
VECTORED = {"fixed", "lowest", "sipi", "raw"}
DEFAULTS = {"fixed": "0x31", "lowest": "0x31", "sipi": "0x08", "raw": "0xC4500"}
TARGETS = ("all-but-self", "all", "self")


def command(mode: str, value: str, to: str, sender: str) -> str:
    """Return the line that sends it.

    >>> command("fixed", "0x31", "2", "0"), command("raw", "0xC4500", "", "0")
    ('ipi fixed 0x31 --to 2 --from 0', 'ipi raw 0xC4500 --from 0')
    """
    words = ["ipi", mode]
    if mode in VECTORED:
        words.append(value.strip() or DEFAULTS[mode])
    if mode != "raw":
        words += ["--to", to.strip() or TARGETS[0]]
    return " ".join([*words, "--from", sender.strip() or "0"])


def render(line: str, preview: str, size: tuple[int, int]) -> list[Line]:
    """Return the command and what it means."""
    width, _ = size
    rows = [Line(" : ", "dim").add(line, "strong"), Line()]
    for text in preview.splitlines():
        bad = text.startswith("!")
        rows += [Line(f" {part}", "warn" if bad else "") for part in wrap(text, width)]
    return rows


def wrap(text: str, width: int) -> list[str]:
    """Break `text` at blanks into rows of at most `width` - 2 cells."""
    rows, row = [], ""
    for word in text.split():
        if row and len(row) + 1 + len(word) > width - 2:
            rows.append(row)
            row = ""
        row = f"{row} {word}".strip()
    return [*rows, row] if row else rows


class Choice(LinePane):
    """One row of words, one of them chosen by ← and →."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", "Before", show=False),
        Binding("right,l,space", "turn(1)", "After", show=False),
        Binding("enter", "submit", "Send", show=False),
    ]

    class Changed(Message):
        """Another word was chosen."""

    class Submitted(Message):
        """Enter."""

    def __init__(self, words: Sequence[str], *, id: str) -> None:  # noqa: A002
        """Offer `words`, the first one chosen."""
        super().__init__(id=id)
        self.words = words
        self.value = words[0]

    def on_mount(self) -> None:
        """Show the words."""
        self._draw()

    def _draw(self) -> None:
        line = Line()
        for word in self.words:
            chosen = word == self.value
            line.add(f"[{word}]" if chosen else f" {word} ", "title" if chosen else "")
        self.show([line])

    def action_turn(self, by: int) -> None:
        """Choose the next word, or the one before."""
        at = (self.words.index(self.value) + by) % len(self.words)
        self.value = self.words[at]
        self._draw()
        self.post_message(self.Changed())

    def action_submit(self) -> None:
        """Say that Enter was pressed."""
        self.post_message(self.Submitted())


class InjectScreen(ModalScreen[str | None]):
    """The form; it returns the line of the command, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Back", show=False)
    ]

    def __init__(self, to: int, sender: int, preview: Callable[[str], str]) -> None:
        """Propose an IPI from `sender` to `to`; `preview` explains a line."""
        super().__init__()
        self._to, self._sender, self._preview = to, sender, preview

    def compose(self) -> ComposeResult:
        """A row for each field, and the preview."""
        with Vertical(id="inject") as box:
            box.border_title = "inject an interprocessor interrupt"
            box.border_subtitle = "←→ mode   Tab next   Enter sends   Esc goes back"
            with Horizontal(classes="row"):
                yield Label("mode")
                yield Choice(MODES, id="inject-mode")
            for name, value in (
                ("vector", DEFAULTS["fixed"]),
                ("to", str(self._to)),
                ("from", str(self._sender)),
            ):
                with Horizontal(classes="row"):
                    yield Label(name)
                    yield Input(value, id=f"inject-{name}", compact=True)
                    yield Label(HINTS[name], classes="hint")
            preview = LinePane(id="inject-preview")
            preview.can_focus = False
            yield preview

    def on_mount(self) -> None:
        """Begin at the mode."""
        self.query_one(Choice).focus()
        self.call_after_refresh(self._explain)

    @property
    def line(self) -> str:
        """The command as the fields stand."""
        value, to, sender = (
            self.query_one(f"#inject-{name}", Input).value
            for name in ("vector", "to", "from")
        )
        return command(self.query_one(Choice).value, value, to, sender)

    def _explain(self) -> None:
        pane = self.query_one("#inject-preview", LinePane)
        line = self.line
        pane.show(render(line, self._preview(line), pane.size))

    def on_choice_changed(self) -> None:
        """Give the mode its usual vector."""
        mode = self.query_one(Choice).value
        field = self.query_one("#inject-vector", Input)
        field.disabled = mode not in VECTORED
        if field.value.strip() in {*DEFAULTS.values(), ""}:
            field.value = DEFAULTS.get(mode, "")
        self.query_one("#inject-to", Input).disabled = mode == "raw"
        self._explain()

    def on_input_changed(self) -> None:
        """Explain anew."""
        self._explain()

    def on_input_submitted(self) -> None:
        """Send."""
        self.dismiss(self.line)

    def on_choice_submitted(self) -> None:
        """Send."""
        self.dismiss(self.line)

    def action_cancel(self) -> None:
        """Send nothing."""
        self.dismiss(None)


HINTS = {
    "vector": "page of the start for sipi; the whole ICR for raw",
    "to": "vCPU, or all-but-self, all, self",
    "from": "vCPU that sends",
}
