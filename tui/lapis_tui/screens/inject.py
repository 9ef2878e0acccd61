"""The inject screen (i): build an interprocessor interrupt and read what it says.

It makes a line for the command `ipi` and nothing else: the command does the work, and
the line is one that could have been typed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

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
from lapis_tui.blocks.lines import Line, wrap, wrapped
from lapis_tui.panes.base import LinePane, fixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from lapis_sessions.views.snapshot import Snapshot

MODES = ("fixed", "lowest", "nmi", "smi", "init", "sipi", "raw")
"""As the command `ipi` names them."""
VECTORED = {"fixed", "lowest", "sipi", "raw"}
DEFAULTS = {"fixed": "0x31", "lowest": "0x31", "sipi": "0x08", "raw": "0xC4500"}
TARGETS = ("all-but-self", "all", "self")
NOT_REACHED = "not-reached"
"""What a dry run says of a processor that the IPI is not for."""


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

    def dry_run(self) -> str:
        """Return the line that says what would become of it."""
        return self.command().replace("ipi ", "ipi dry-run ", 1)

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


def wrong(form: Form, snapshot: Snapshot) -> tuple[str, str] | None:
    """Return the field for which `ipi` would refuse the form, and why; None if none."""
    field = "from"
    try:
        sender = number(form.sender.strip(), "from")
        if sender >= len(snapshot.vcpus):
            return field, f"there is no vCPU {sender}"
        x2apic = snapshot.vcpus[sender].apic.mode == "x2apic"
        field = "vector"
        replace(form, to="self").icr(x2apic=x2apic)
        field = "to"
        icr = form.icr(x2apic=x2apic)
    except LapisError as error:
        return field, str(error)
    is_judged = form.mode != "raw"
    return _refused(form.mode, snapshot, sender, icr) if is_judged else None


def _refused(
    mode: str, snapshot: Snapshot, sender: int, icr: int
) -> tuple[str, str] | None:
    """Return why the command does not send what can be written."""
    apics = [vcpu.apic for vcpu in snapshot.vcpus]
    x2apic = apics[sender].mode == "x2apic"
    request = apic_icr.decode(icr, x2apic=x2apic, sender=sender)
    why = icr_rules.advice(request, snapshot.switches)
    if why is not None:
        return "vector" if mode in VECTORED else "to", f"{why}"
    ids = {apic.id for apic in apics}
    everyone = apic_icr.BROADCAST_X2APIC if x2apic else apic_icr.BROADCAST_XAPIC
    named = request.shorthand == "none" and request.destination != everyone
    if named and request.destination not in ids:
        return "to", f"{ipi_rules.no_id(request.destination, ids)}"
    return None


def render(
    form: Form, snapshot: Snapshot, outcome: Sequence[str], size: tuple[int, int]
) -> list[Line]:
    """Return the command, the ICR, what it means and its `outcome`; or what is wrong.

    `outcome` are the rows of a dry run, or nothing while none has come back.
    """
    width, _ = size
    rows = [Line(" : ", "dim").add(form.command(), "strong")]
    fault = wrong(form, snapshot)
    if fault is not None:
        parts = wrap(f"! {fault[1]}", width - 2)
        return [*rows, *(Line(f" {part}", "warn") for part in parts)]
    sender = number(form.sender.strip(), "from")
    x2apic = snapshot.vcpus[sender].apic.mode == "x2apic"
    icr = form.icr(x2apic=x2apic)
    rows.append(Line(f" ICR {icr:#018x}", "changed"))
    text = icr_text(icr, x2apic=x2apic)
    rows += [Line(f" {part}") for part in wrap(text, width - 2)]
    request = apic_icr.decode(icr, x2apic=x2apic, sender=sender)
    why = icr_rules.refusal(request, snapshot.switches)
    if why is not None:
        parts = wrap(f"! it will be dropped: {why}", width - 2)
        rows += [Line(f" {part}", "warn") for part in parts]
    pieces = [piece for row in outcome for piece in wrapped(row, width - 2)]
    return rows + [Line(f" {piece}", "held") for piece in pieces]


def reached(found: Mapping[str, Any]) -> list[str]:
    """Return what a dry run says of those that the IPI reaches, and how many not.

    `found` is the result of `ipi dry-run` as data.
    """
    verdicts = found["verdicts"]
    met = [each for each in verdicts if each["verdict"] != NOT_REACHED]
    rows = [f"vCPU {e['vcpu']} {e['verdict']}: {e['text']}" for e in met]
    rest = len(verdicts) - len(met)
    others = f"{rest} others are" if rest != 1 else "1 other is"
    rows += [f"{others} not reached"] if rest else []
    return [*([found["rule"]] if found["rule"] else []), *rows]


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


class InjectScreen(ModalScreen[Form | None]):
    """The form; it returns the fields that are sent, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Back", show=False)
    ]

    class Wondered(Message):
        """It is to be found out what would become of the IPI."""

        def __init__(self, line: str) -> None:
            """Carry the line of the dry run."""
            super().__init__()
            self.line = line

    def __init__(self, form: Form, snapshot: Snapshot) -> None:
        """Begin with the fields of `form`; `snapshot` is to judge them by."""
        super().__init__()
        self._begun, self._snapshot = form, snapshot
        self._outcome: tuple[str, list[str]] = ("", [])
        """The last dry run, and the rows that it brought."""

    def compose(self) -> ComposeResult:
        """A row for each field, and the preview."""
        begun = self._begun
        with Vertical(id="inject") as box:
            box.border_title = "inject an interprocessor interrupt"
            box.border_subtitle = "←→ mode   Tab next   Enter sends   Esc goes back"
            with Horizontal(classes="row"):
                yield Label("mode")
                choice = Choice(MODES, id="inject-mode")
                choice.value = begun.mode
                yield choice
            for name, value in (
                ("vector", begun.value), ("to", begun.to), ("from", begun.sender),
            ):  # fmt: skip
                with Horizontal(classes="row"):
                    yield Label(name)
                    field = Input(value, id=f"inject-{name}", compact=True)
                    field.disabled = not _is_used(name, begun.mode)
                    yield field
                    hint = fixed(f"inject-{name}-hint")
                    hint.add_class("hint")
                    yield hint
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
        """Say what the fields come to, and beside one what is wrong with it."""
        form = self.form
        fault = wrong(form, self._snapshot)
        for name, text in HINTS.items():
            hint = Line(text, "dim")
            if fault is not None and fault[0] == name:
                hint = Line(f"! {fault[1]}", "warn")
            self.query_one(f"#inject-{name}-hint", LinePane).show([hint])
        line = form.dry_run()
        if fault is None and self._outcome[0] != line:
            self._outcome = line, []
            self.post_message(self.Wondered(line))
        self._draw()

    def _draw(self) -> None:
        pane = self.query_one("#inject-preview", LinePane)
        pane.draw(partial(render, self.form, self._snapshot, self._outcome[1]))

    def tell(self, line: str, found: Mapping[str, Any]) -> None:
        """Show what a dry run brought, if it is still of these fields."""
        if line == self._outcome[0]:
            self._outcome = line, reached(found)
            self._draw()

    def on_choice_changed(self) -> None:
        """Give the mode its usual vector."""
        mode = self.query_one(Choice).value
        for name in HINTS:
            field = self.query_one(f"#inject-{name}", Input)
            field.disabled = not _is_used(name, mode)
        field = self.query_one("#inject-vector", Input)
        if field.value.strip() in {*DEFAULTS.values(), ""}:
            field.value = DEFAULTS.get(mode, "")
        self._explain()

    def on_input_changed(self) -> None:
        """Explain anew."""
        self._explain()

    def on_input_submitted(self) -> None:
        """Send."""
        self._send()

    def on_choice_submitted(self) -> None:
        """Send."""
        self._send()

    def _send(self) -> None:
        """Send what is right; else go to the field that is not."""
        fault = wrong(self.form, self._snapshot)
        if fault is None:
            self.dismiss(self.form)
        else:
            self.query_one(f"#inject-{fault[0]}", Input).focus()

    def action_cancel(self) -> None:
        """Send nothing."""
        self.dismiss(None)


def _is_used(name: str, mode: str) -> bool:
    """Tell whether a mode has a field."""
    return (name != "vector" or mode in VECTORED) and (name != "to" or mode != "raw")


HINTS = {
    "vector": "sipi: start page; raw: whole ICR",
    "to": "vCPU, or all-but-self, all, self",
    "from": "vCPU that sends",
}
