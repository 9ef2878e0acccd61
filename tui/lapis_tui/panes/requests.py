"""The requests pane: what waits for an answer, and what was answered before."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks import requests as block
from lapis_tui.blocks.asked import entered, is_begun
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.requests import Field
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.views.asked import AskedView, Settled
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View

FAULTS = {"g": "gp", "p": "pf", "u": "ud", "s": "ss", "n": "np", "a": "ac"}
"""What `x` and a letter raise; `o` begins the line that raises the others."""
ANY_FAULT = "o"
RULES = {
    "a": ("always", "0"), "o": ("once", "once 0"), "s": ("list", "0, 1, 2"),
    "c": ("cycle", "cycle 0, 1"), "n": ("count", "count*4"),
    "d": ("device", "device"), "x": ("fault", "fault gp"), "f": ("file", "file PATH"),
}  # fmt: skip
"""What `R` and a letter begin: in a word, and as a rule's second half."""
OF_WRITES = "aodx"
"""Those of them that do something to a write, which has no value to be given."""
HINTS = (
    KeyHint("enter", "Enter", "answer"), KeyHint("C", "C", "answer, run"),
    KeyHint("x", "x", "fault"), KeyHint("R", "R", "rule"),
    KeyHint("D", "D", "discard"), KeyHint("u", "u", "back"),
)  # fmt: skip
ABOVE = 5
"""Of the rows of the pane that part, at most, is of the others that wait; where there
are more of them they stand below the sheet."""
COMMON_KEYS = ("u back to the last question", "n the next request", "V vm_run in full")


def chosen(view: View) -> PendingRequest | None:
    """Return the request of the selected vCPU, else the first that waits."""
    waiting = view.now.pending
    mine = (each for each in waiting if each.vcpu == view.selected)
    return next(mine, waiting[0] if waiting else None)


def known(view: View, it: PendingRequest) -> AskedView | None:
    """Return what is known of a request; None while the picture holds none of it."""
    found = view.now.requests
    asked = found.asked if found is not None else ()
    return next((each for each in asked if each.request == it), None)


def answered(view: View) -> tuple[Settled, ...]:
    """Return the requests that were settled, oldest first."""
    return () if view.now.requests is None else view.now.requests.settled


def keys(asked: AskedView) -> Sequence[str]:
    """Return the keys that settle a request, each with what it does."""
    it, has_device = asked.request, asked.place.device is not None
    if it.kind == "inst-emul":
        found = ["it has no value to be answered with"]
    elif it.read:
        found = ["Enter answer", "C answer and run", "p zero", "f all ones"]
        found += ["v the device's own"] if has_device else []
        found += ["l the last one again"] if asked.before else []
    else:
        found = ["Enter accept", "C accept and run"]
        found += ["v let the device have it"] if has_device else []
    found += ["x fault", "D discard, it runs again"]
    found += ["R a rule from now on"] if it.kind != "inst-emul" else []
    return (*found, *COMMON_KEYS)


def render(view: View, size: tuple[int, int], field: Field | None = None) -> list[Line]:
    """Return the requests that wait, the chosen one's sheet, and the history.

    What is longer than the pane is broken, and what is below it can be scrolled to.
    """
    width, height = size
    it = chosen(view)
    mine = [each for each in view.now.pending if each == it]
    others = [each for each in view.now.pending if each != it]
    if len(others) <= height // ABOVE:
        mine, others = list(view.now.pending), []
    rows = _waiting(view, mine, width)
    asked = None if it is None else known(view, it)
    if it is None:
        rows = [Line(" nothing waits for an answer", "dim")]
    elif asked is not None:
        rows += block.sheet(asked, keys(asked), field, width)
    if others:
        rows.append(Line(f" {len(others)} others wait", "title"))
        rows += _waiting(view, others, width)
    past = answered(view)
    rows.append(Line(" answered before, the last first", "title"))
    rows += block.rows([block.settled(each, it) for each in reversed(past)], width, 24)
    if not past:
        rows.append(Line("   nothing yet", "dim"))
    return rows


def _waiting(view: View, those: Sequence[PendingRequest], width: int) -> list[Line]:
    """Return a row for each of those that wait."""
    it = chosen(view)
    return block.rows(
        [block.waiting(e, known(view, e), chosen=e == it) for e in those], width
    )


def title(view: View) -> str:
    """Return what the pane is called: how many wait, and how many rules answer."""
    found = view.now.requests
    count, rules = len(view.now.pending), 0
    if found is not None:
        rules = sum(rule.state == "on" for rule in found.rules)
    words = [f"{count} wait{'s' if count == 1 else ''}"] if count else []
    words += [f"{rules} rule{'s' if rules != 1 else ''}"] if rules else []
    return f"requests ({', '.join(words)})" if words else "requests"


class RequestsPane(LinePane):
    """What waits, and its keys."""

    TITLE = "requests"
    ABOUT = (
        "What the guest asked and nobody answered: which vCPU reads or writes what, by "
        "the name of its register, what the device itself would say (it is not "
        "touched), what the answer changes, and what vm_run accepts. The one of the "
        "selected vCPU is answered by the keys; while a value is typed it is shown in "
        "decimal and binary, and a wrong one leaves the field open. Below is what was "
        "answered before, and by whom; `rules` lists what answers by itself."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,enter", "answer", "answer; a write is accepted", show=False),
        Binding("p", "give('zero')", "answer zero", show=False),
        Binding("f", "give('ones')", "answer all ones", show=False),
        Binding("l", "give('last')", "answer as the last time here", show=False),
        Binding("v", "device", "let the engine's own device answer", show=False),
        Binding("x", "fault", "then g p u s n a: raise a fault; o another", show=False),
        Binding("d,D", "discard", "discard; the instruction runs again", show=False),
        Binding("C", "answer(True)", "answer, and run", show=False),
        Binding("R", "rule", "then a letter: answer by a rule from now on", show=False),
        Binding("V", "accepts", "what vm_run would accept now", show=False),
        Binding("u", "back", "back to the last question", show=False),
        Binding("n", "next", "the next request", show=False),
    ]  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="requests")
        self._view: View | None = None
        self._field: Field | None = None

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for what is known of requests."""
        return replace(so_far, requests=True)

    @property
    def hints(self) -> Sequence[KeyHint]:
        """Keys for the row, while something waits."""
        if self._view is None or not self._view.now.pending:
            return ()
        return HINTS

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.call(title(view))
        self.draw(partial(render, view, field=self._field))

    def on_focus(self) -> None:
        """Show no field any more: it was left."""
        self._show(None)

    def _show(self, field: Field | None) -> None:
        """Show what is typed, or that nothing is."""
        if field != self._field and self._view is not None:
            self._field = field
            self.update(self._view)

    def _chosen(self) -> PendingRequest | None:
        """Return the chosen request; say that there is none."""
        it = chosen(self._view) if self._view is not None else None
        if it is None:
            self.post_message(self.Hint("nothing waits for an answer"))
        return it

    # An answer.

    def action_answer(self, run: bool = False) -> None:  # noqa: FBT001, FBT002 - a binding passes it
        """Have the answer typed; accept a write."""
        it = self._chosen()
        if it is None:
            return
        if it.kind == "inst-emul":
            self.post_message(self.Hint("it has no value: D discards it"))
        elif it.read:
            self.scroll_home(animate=False)
            self._show(Field(""))
            take, read = partial(self._take, it, run=run), partial(self._read, it)
            self.post_message(self.Asked("=", "", take, read))
        else:
            self._give(it, it.data, run=run)

    def _read(self, it: PendingRequest, text: str) -> str | None:
        """Show how what is typed reads; return why it is no answer."""
        self._show(Field(text))
        value = entered(text, it.bytes)
        return value if isinstance(value, str) and not is_begun(text) else None

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
        past = [row.answer.value for row in answered(self._view) if row.is_at(it)]
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

    def action_discard(self) -> None:
        """Discard the chosen request."""
        it = self._chosen()
        if it is not None:
            self.post_message(self.Wish(f"discard {it.vcpu}"))

    # Faults and rules.

    def action_fault(self) -> None:
        """Wait for the letter of a fault, of those that can be raised now."""
        it = self._chosen()
        if it is None or self._view is None:
            return
        asked = known(self._view, it)
        shut = [
            each.why
            for each in (asked.commands if asked is not None else ())
            if each.command == "INJECT_FAULT" and not each.accepted
        ]
        if shut:
            self.post_message(self.Hint(f"no fault can be raised: {shut[0]}"))
            return
        names = {
            key: f"#{name.upper()}"
            for key, name in FAULTS.items()
            if name != "pf" or it.kind == "mmio"
        }
        names[ANY_FAULT] = "another"
        self.post_message(self.Keyed("raise", names, self._fault))

    def _fault(self, key: str) -> None:
        it = self._chosen()
        if it is None:
            return
        if key == ANY_FAULT:
            head, tail = "answer fault ", f" --vcpu {it.vcpu}"
            self.post_message(self.Begun(head + tail, len(head)))
            return
        self.post_message(self.Wish(f"answer fault {FAULTS[key]} --vcpu {it.vcpu}"))

    def action_rule(self) -> None:
        """Wait for the letter of a rule."""
        it = self._chosen()
        if it is None:
            return
        if it.kind == "inst-emul":
            self.post_message(self.Hint("no rule answers it: D discards it"))
            return
        letters = RULES if it.read else OF_WRITES
        names = {key: RULES[key][0] for key in letters}
        self.post_message(self.Keyed("rule", names, self._rule))

    def _rule(self, key: str) -> None:
        """Begin the rule, with what is to be said selected; the device's is whole."""
        it = self._chosen()
        if it is None:
            return
        place = {"inout": "port"}.get(it.kind, it.kind)
        span = f"/{it.bytes}" if it.kind == "mmio" else ""
        verb = "read" if it.read else "write"
        how = RULES[key][1]
        line = f"rule add '{place} {it.address:#x}{span} {verb} = {how}'"
        if how == "device":
            self.post_message(self.Wish(line))
            return
        word, blank, rest = how.partition(" ")
        said = (
            rest if word in {"once", "cycle", "fault", "file"} else word + blank + rest
        )
        self.post_message(self.Begun(line, len(line) - len(said) - 1, len(said)))

    def action_accepts(self) -> None:
        """Ask which entry commands would be accepted."""
        it = self._chosen()
        if it is not None:
            self.post_message(self.Sheet(f"vie {it.vcpu}"))

    # Other requests.

    def action_back(self) -> None:
        """Go back to the question that was answered last."""
        past = answered(self._view) if self._view is not None else ()
        if past:
            self.post_message(self.Wish(f"goto #{past[-1].asked}"))
        else:
            self.post_message(self.Hint("nothing was answered yet"))

    def action_next(self) -> None:
        """Select the vCPU of the next request."""
        it = self._chosen()
        if it is not None and self._view is not None:
            waiting = [each.vcpu for each in self._view.now.pending]
            after = waiting[(waiting.index(it.vcpu) + 1) % len(waiting)]
            self.post_message(self.Wish(f"vcpu {after}"))
