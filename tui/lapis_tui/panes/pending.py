"""The pending pane: requests that nobody has answered, and the field for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from lapis_tui.blocks.asked import entered, is_begun
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from lapis_engine.machine.requests import PendingRequest
    from lapis_tui.view import View

UNITS = {1: "byte", 2: "word", 4: "dword", 8: "qword"}


def words(request: PendingRequest) -> str:
    """Say what the guest asks for."""
    size = UNITS.get(request.bytes, f"{request.bytes} bytes")
    if request.kind == "inst-emul":
        return f"instruction without emulation on {request.address:#x}"
    if request.kind == "msr":
        verb = "RDMSR" if request.read else "WRMSR"
        tail = "" if request.read else f" = {request.data:#x}"
        return f"{verb} {request.address:#x}{tail}"
    if request.kind == "inout":
        if request.read:
            return f"IN  {size} from port {request.address:#06x}"
        return f"OUT {size} to port {request.address:#06x} = {request.data:#x}"
    if request.read:
        return f"reads {size} at {request.address:#010x}"
    return f"writes {size} at {request.address:#010x} = {request.data:#x}"


def remedy(request: PendingRequest) -> str:
    """Say which keys settle it."""
    if request.kind == "inst-emul":
        return "d discard"
    return "a answer, d discard" if request.read else "a accept, d discard"


def render(
    pending: Sequence[PendingRequest], selected: int, size: tuple[int, int]
) -> list[Line]:
    """Return one line a request; `>` marks the selected vCPU's."""
    width, _ = size
    lines = []
    for request in pending:
        mine = request.vcpu == selected
        line = Line(" > " if mine else " ? ", "changed")
        line.add(f"vCPU {request.vcpu} ", "label")
        line.add(words(request), "strong" if mine else "")
        line.add(f"   {remedy(request)}", "dim")
        lines.append(line if line.width <= width else line.fit(width))
    return lines


class AnswerField(Input):
    """Takes the value for a read."""

    class Given(Message):
        """The user gives an answer."""

        def __init__(self, value: str) -> None:
            """Carry the words after `answer`."""
            super().__init__()
            self.value = value

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(placeholder="0x1234", id="answer", compact=True)
        self.bytes: int | None = None
        """What the answer must fit in, while there is a request for it."""

    @property
    def wrong(self) -> str | None:
        """What is wrong with what is typed so far, or None."""
        if self.bytes is None or is_begun(self.value):
            return None
        value = entered(self.value, self.bytes)
        return value if isinstance(value, str) else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass the value on; it stays until it is taken."""
        event.stop()
        if event.value.strip():
            self.post_message(self.Given(event.value.strip()))


class PendingPane(Horizontal):
    """The list of requests with the field beside it."""

    TITLE = "pending"
    ABOUT = (
        "What the guest asks and nobody has answered, a row for each vCPU that waits. "
        "The field answers that of the selected one: a number, or -1, or 'A'. All that "
        "can be done about it is in layout 4."
    )

    def __init__(self) -> None:
        """Make the pane; it hides itself while nothing is pending."""
        super().__init__(id="pending")
        self.list = LinePane(id="pending-list")
        self.list.can_focus = False
        self.field = AnswerField()

    def compose(self) -> ComposeResult:
        """Set list and field side by side."""
        yield self.list
        yield Label("answer", id="answer-label")
        yield self.field

    def update(self, view: View) -> None:
        """Show the requests."""
        pending, selected = view.now.pending, view.selected
        rows = render(pending, selected, (96, 3))
        self.list.styles.width = max((row.width for row in rows), default=0) + 2
        self.list.show(rows)
        mine = next((r for r in pending if r.vcpu == selected), None)
        self.field.bytes = None if mine is None else mine.bytes
        self.field.placeholder = f"0x{0:0{2 * (mine.bytes if mine else 4)}x}"
