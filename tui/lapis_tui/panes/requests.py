"""The requests pane: what waits for an answer, and what was answered before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import Answered, Exited
from lapis_tui.blocks.asked import entered, name_of
from lapis_tui.blocks.lines import Line, time
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Logged
    from lapis_engine.machine.requests import PendingRequest
    from lapis_tui.view import View

FAULTS = {"g": "gp", "p": "pf", "u": "ud", "s": "ss", "n": "np", "a": "ac"}
"""What `x` and a letter raise; `answer fault` knows the others."""
NO_ERROR = {"ud"}
LOOKED_AT = 2000
"""Events that are searched for answers."""


def chosen(view: View) -> PendingRequest | None:
    """Return the request of the selected vCPU, else the first that waits."""
    waiting = view.now.pending
    mine = (each for each in waiting if each.vcpu == view.selected)
    return next(mine, waiting[0] if waiting else None)


def render(view: View, size: tuple[int, int]) -> list[Line]:
    """Return the requests that wait, the chosen one's sheet, and the history."""
    width, height = size
    it, past = chosen(view), answered(view)
    rows = [_waiting(view, each, each == it) for each in view.now.pending]
    if it is None:
        rows = [Line(" nothing waits for an answer", "dim")]
    else:
        rows += _sheet(view, it, past)
    rows.append(Line(" answered before, the last first", "title"))
    rows += [_settled(logged, event, it) for logged, event in reversed(past)]
    if not past:
        rows.append(Line("   nothing yet", "dim"))
    return [row.fit(width) if row.width > width else row for row in rows][:height]


def answered(view: View) -> list[tuple[Logged, Answered]]:
    """Return the requests that were settled, oldest first."""
    return [
        (logged, logged.event)
        for logged in view.events[-LOOKED_AT:]
        if isinstance(logged.event, Answered) and logged.event.what
    ]


def _where(kind: str, address: int) -> str:
    place = {"inout": "port", "inst-emul": "code"}.get(kind, kind)
    return f"{place} {address:x}"


def _waiting(view: View, it: PendingRequest, is_chosen: bool) -> Line:  # noqa: FBT001 - a fact of the row
    """Return the row of a request."""
    line = Line(" > " if is_chosen else "   ", "changed")
    line.add(f"vCPU {it.vcpu}", "label").pad(11)
    line.add("read" if it.read else "write", "strong" if is_chosen else "").pad(18)
    line.add(_where(it.kind, it.address), "address").pad(34)
    line.add(name_of(it.kind, it.address) or "(unknown)", "symbol").pad(54)
    line.add(f"{it.bytes} bytes" if it.bytes != 1 else "1 byte")
    if not it.read and it.kind != "inst-emul":
        line.add(f" = {it.data:#x}", "strong")
    return line.add(f"  {view.now.vcpus[it.vcpu].state}", "dim")


def _sheet(
    view: View, it: PendingRequest, past: Sequence[tuple[Logged, Answered]]
) -> list[Line]:
    """Return what can be done about the chosen request."""
    verb = "read" if it.read else "write"
    rows = [Line(f" {_where(it.kind, it.address)}, {verb} of {it.bytes}", "title")]
    before = [
        event.value for _, event in past if _same(event, it) and event.value is not None
    ]
    if before:
        given = " ".join(f"{value:#x}" for value in before[:-5:-1])
        rows.append(Line("   given here before, the last first: ").add(given, "strong"))
    if it.kind == "inst-emul":
        rows.append(Line("   D discard: it has no value to be answered with"))
    elif it.read:
        rows += [
            Line("   Enter answer   p zero   f all ones   l the last one again"),
            Line("   v the device's own   x fault   D discard, it runs again"),
            Line("   C answer and run   R a rule from now on   V what vm_run accepts"),
        ]
    else:
        rows += [
            Line("   Enter accept   C accept and run   v let the device have it"),
            Line("   x fault   D discard, it runs again   V what vm_run accepts"),
        ]
    code = view.now.vcpus[it.vcpu].code
    rows.append(Line("   then the guest runs", "dim"))
    rows += [
        Line(" > " if n == 0 else "   ", "here").add(f"  {each.linear:08x} ", "address")
        .add(f"{each.mnemonic} {each.operands}", "mnemonic")
        for n, each in enumerate(code[:3])
    ]  # fmt: skip
    return rows


def _question(view: View, logged: Logged, it: Answered) -> int:
    """Return the number of the exit that an answer settled."""
    exits = (
        each.seq
        for each in reversed(view.events[-LOOKED_AT:])
        if each.seq < logged.seq
        and isinstance(each.event, Exited)
        and each.event.vcpu == it.vcpu
    )
    return next(exits, logged.seq)


def _same(event: Answered, it: PendingRequest) -> bool:
    """Tell whether an answer was to a request as `it`."""
    asked = event.what, event.address, event.read
    return asked == (it.kind, it.address, it.read)


def _settled(logged: Logged, it: Answered, now: PendingRequest | None) -> Line:
    """Return the row of a request that was settled; `=` marks those as `now`."""
    is_same = now is not None and _same(it, now)
    line = Line(" = " if is_same else "   ", "changed")
    line.add(f"#{logged.seq}", "dim").pad(10).add(time(logged.at), "dim").pad(24)
    line.add(f"{it.vcpu} {'read' if it.read else 'write'}").pad(32)
    line.add(_where(it.what, it.address), "address").pad(46)
    line.add(name_of(it.what, it.address), "symbol").pad(62)
    match it.command:
        case "DISCARD_INSTR":
            line.add("discarded", "strong")
        case "INJECT_FAULT":
            line.add(it.text, "strong")
        case _:
            value = it.data if it.value is None else it.value
            line.add(f"= {value:#x}", "strong")
    return line.add(f"  {'you' if it.by == 'user' else it.by}", "label")


class RequestsPane(LinePane):
    """What waits, and its keys."""

    TITLE = "requests"
    ABOUT = (
        "What the guest asked and nobody answered: which vCPU reads or writes what, by "
        "name where a PC has something there. The one of the selected vCPU is answered "
        "by the keys; a wrong answer leaves the field open, with what is wrong. Below "
        "is what was answered before, and by whom."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,enter", "answer", "answer; a write is accepted", show=False),
        Binding("p", "give('zero')", "answer zero", show=False),
        Binding("f", "give('ones')", "answer all ones", show=False),
        Binding("l", "give('last')", "answer as the last time here", show=False),
        Binding("v", "device", "let the engine's own device answer", show=False),
        Binding("x", "fault", "then g p u s n a: raise a fault instead", show=False),
        Binding("d,D", "discard", "discard; the instruction runs again", show=False),
        Binding("C", "answer(True)", "answer, and run", show=False),
        Binding("R", "rule", "answer by a rule from now on", show=False),
        Binding("V", "accepts", "what vm_run would accept now", show=False),
        Binding("u", "back", "back to the last question", show=False),
        Binding("n", "next", "the next request", show=False),
    ]  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="requests")
        self._view: View | None = None

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.draw(partial(render, view))

    def _chosen(self) -> PendingRequest | None:
        """Return the chosen request; say that there is none."""
        it = chosen(self._view) if self._view is not None else None
        if it is None:
            self.post_message(self.Hint("nothing waits for an answer"))
        return it

    def action_answer(self, run: bool = False) -> None:  # noqa: FBT001, FBT002 - a binding passes it
        """Have the answer typed; accept a write."""
        it = self._chosen()
        if it is None:
            return
        if it.kind == "inst-emul":
            self.post_message(self.Hint("it has no value: D discards it"))
        elif it.read:
            take = partial(self._take, it, run=run)
            self.post_message(self.Asked("=", "", take))
        else:
            self._give(it, it.data, run=run)

    def _take(self, it: PendingRequest, text: str, *, run: bool) -> str | None:
        """Answer what was typed, or say why it is no answer."""
        value = entered(text, it.bytes)
        if isinstance(value, str):
            return value
        # Later: a message that is made while the screen handles one stops there.
        self.call_later(partial(self._give, it, value, run=run))
        return None

    def _give(self, it: PendingRequest, value: int, *, run: bool = False) -> None:
        line = f"answer {value:#x} {it.vcpu}"
        self.post_message(self.Wish(line, then="run" if run else None))

    def action_give(self, what: str) -> None:
        """Give one of the answers that have a key."""
        it = self._chosen()
        if it is None or self._view is None:
            return
        if not it.read:
            self.post_message(self.Hint("it is a write: Enter accepts it"))
            return
        if what != "last":
            self._give(it, (1 << 8 * it.bytes) - 1 if what == "ones" else 0)
            return
        past = [e.value for _, e in answered(self._view) if _same(e, it)]
        value = next((each for each in reversed(past) if each is not None), None)
        if value is None:
            self.post_message(self.Hint("nothing was answered here before"))
        else:
            self._give(it, value)

    def action_device(self) -> None:
        """Let the device of the engine answer."""
        it = self._chosen()
        if it is not None:
            self.post_message(self.Wish(f"answer device {it.vcpu}"))

    def action_fault(self) -> None:
        """Wait for the letter of a fault."""
        if self._chosen() is not None:
            names = {key: f"#{name.upper()}" for key, name in FAULTS.items()}
            self.post_message(self.Keyed("raise", names, self._fault))

    def _fault(self, key: str) -> None:
        it = self._chosen()
        if it is not None:
            name = FAULTS[key]
            error = "" if name in NO_ERROR else " 0"
            line = f"answer fault {name}{error} --vcpu {it.vcpu}"
            self.post_message(self.Wish(line))

    def action_discard(self) -> None:
        """Discard the chosen request."""
        it = self._chosen()
        if it is not None:
            self.post_message(self.Wish(f"discard {it.vcpu}"))

    def action_rule(self) -> None:
        """Have a rule typed to its end."""
        it = self._chosen()
        if it is None:
            return
        place = {"inout": "port"}.get(it.kind, it.kind)
        span = f"/{it.bytes}" if it.kind == "mmio" else ""
        head = f"rule add '{place} {it.address:#x}{span} {self._verb(it)} = "
        self.post_message(self.Begun(f"{head}once 0'", len(head), len("once 0")))

    @staticmethod
    def _verb(it: PendingRequest) -> str:
        return "read" if it.read else "write"

    def action_accepts(self) -> None:
        """Ask which entry commands would be accepted."""
        it = self._chosen()
        if it is not None:
            self.post_message(self.Sheet(f"vie {it.vcpu}"))

    def action_back(self) -> None:
        """Go back to the question that was answered last."""
        past = answered(self._view) if self._view is not None else []
        if past and self._view is not None:
            seq = _question(self._view, *past[-1])
            self.post_message(self.Wish(f"goto #{seq}"))
        else:
            self.post_message(self.Hint("nothing was answered yet"))

    def action_next(self) -> None:
        """Select the vCPU of the next request."""
        it = self._chosen()
        if it is not None and self._view is not None:
            waiting = [each.vcpu for each in self._view.now.pending]
            after = waiting[(waiting.index(it.vcpu) + 1) % len(waiting)]
            self.post_message(self.Wish(f"vcpu {after}"))
