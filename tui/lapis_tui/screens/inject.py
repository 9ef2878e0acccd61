"""The inject screen (i): build an interprocessor interrupt and read what it says.

It makes a line for the command `ipi` and nothing else: the command does the work, and
the line is one that could have been typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic.icr import icr_text
from lapis_engine.errors import LapisError
from lapis_sessions.commands import ipi_rules
from lapis_sessions.text.numerals import number
from lapis_tui.blocks.lines import Line, wrap
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from lapis_sessions.views.snapshot import Snapshot

MODES = ("fixed", "lowest", "nmi", "smi", "init", "sipi", "raw")
"""As the command `ipi` names them."""
VECTORED = {"fixed", "lowest", "sipi", "raw"}
DEFAULTS = {"fixed": "0x31", "lowest": "0x31", "sipi": "0x08", "raw": "0xC4500"}
TARGETS = ("all-but-self", "all", "self")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they stand."""

    mode: str = "fixed"
    value: str = DEFAULTS["fixed"]
    """Vector, or the whole ICR for raw."""
    to: str = "all-but-self"
    sender: str = "0"

    def command(self) -> str:
        """Return the line that sends it.

        >>> Form("fixed", "0x31", "2").command(), Form("raw", "0xC4500").command()
        ('ipi fixed 0x31 --to 2 --from 0', 'ipi raw 0xC4500 --from 0')
        """
        words = ["ipi", self.mode]
        if self.mode in VECTORED:
            words.append(self.value.strip() or DEFAULTS[self.mode])
        if self.mode != "raw":
            words += ["--to", self.to.strip() or TARGETS[0]]
        return " ".join([*words, "--from", self.sender.strip() or "0"])

    def icr(self, *, x2apic: bool) -> int:
        """Return the ICR; raise `LapisError` for what it cannot be."""
        what = "ICR" if self.mode == "raw" else "vector"
        value = number(self.value.strip(), what) if self.mode in VECTORED else 0
        if self.mode == "raw":
            return value
        to = self.to.strip() or TARGETS[0]
        if to in TARGETS:
            return apic_icr.encode(self.mode, vector=value, shorthand=to, x2apic=x2apic)
        return apic_icr.encode(
            self.mode, vector=value, destination=number(to, "to"), x2apic=x2apic
        )


def render(form: Form, snapshot: Snapshot, size: tuple[int, int]) -> list[Line]:
    """Return the command, the ICR and what it means, or what is wrong with it."""
    width, _ = size
    rows = [Line(" : ", "dim").add(form.command(), "strong")]
    try:
        sender = number(form.sender.strip(), "from")
        vcpu = snapshot.vcpus[sender] if 0 <= sender < len(snapshot.vcpus) else None
        x2apic = vcpu is not None and vcpu.apic.mode == "x2apic"
        icr = form.icr(x2apic=x2apic)
    except LapisError as error:
        parts = wrap(f"! {error}", width - 2)
        return [*rows, *(Line(f" {part}", "warn") for part in parts)]
    if vcpu is None:
        return [*rows, Line(f" ! there is no vCPU {sender}", "warn")]
    rows.append(Line(f" ICR {icr:#018x}", "changed"))
    text = icr_text(icr, x2apic=x2apic)
    rows += [Line(f" {part}") for part in wrap(text, width - 2)]
    rows += [
        Line(f" {part}", "warn")
        for part in wrap(_warning(form, snapshot, sender, icr), width - 2)
    ]
    return rows


def _warning(form: Form, snapshot: Snapshot, sender: int, icr: int) -> str:
    """Say that the command refuses the IPI, or that nobody gets it; or nothing."""
    apics = [vcpu.apic for vcpu in snapshot.vcpus]
    x2apic = apics[sender].mode == "x2apic"
    request = apic_icr.decode(icr, x2apic=x2apic, sender=sender)
    if form.mode != "raw":
        why = icr_rules.advice(request, snapshot.switches)
        ids = {apic.id for apic in apics}
        everyone = apic_icr.BROADCAST_X2APIC if x2apic else apic_icr.BROADCAST_XAPIC
        named = request.shorthand == "none" and request.destination != everyone
        if why is None and named and request.destination not in ids:
            why = ipi_rules.no_id(request.destination, ids)
        if why is not None:
            return f"! ipi will refuse it: {why}"
    why = icr_rules.refusal(request, snapshot.switches)
    return "" if why is None else f"! it will be dropped: {why}"


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

    def __init__(
        self, to: int, sender: int, snapshot: Snapshot, vector: int | None = None
    ) -> None:
        """Propose an IPI from `sender` to `to`; `snapshot` is to judge it by."""
        super().__init__()
        self._vector = DEFAULTS["fixed"] if vector is None else f"{vector:#04x}"
        self._to, self._sender, self._snapshot = to, sender, snapshot

    def compose(self) -> ComposeResult:
        """A row for each field, and the preview."""
        with Vertical(id="inject") as box:
            box.border_title = "inject an interprocessor interrupt"
            box.border_subtitle = "←→ mode   Tab next   Enter sends   Esc goes back"
            with Horizontal(classes="row"):
                yield Label("mode")
                yield Choice(MODES, id="inject-mode")
            for name, value in (
                ("vector", self._vector),
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
        self._explain()

    @property
    def form(self) -> Form:
        """The fields as they stand."""
        value, to, sender = (
            self.query_one(f"#inject-{name}", Input).value
            for name in ("vector", "to", "from")
        )
        return Form(self.query_one(Choice).value, value, to, sender)

    def _explain(self) -> None:
        pane = self.query_one("#inject-preview", LinePane)
        pane.draw(partial(render, self.form, self._snapshot))

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
        self.dismiss(self.form.command())

    def on_choice_submitted(self) -> None:
        """Send."""
        self.dismiss(self.form.command())

    def action_cancel(self) -> None:
        """Send nothing."""
        self.dismiss(None)


HINTS = {
    "vector": "sipi: start page; raw: whole ICR",
    "to": "vCPU, or all-but-self, all, self",
    "from": "vCPU that sends",
}
