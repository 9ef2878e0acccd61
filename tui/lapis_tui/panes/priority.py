"""The priority pane: each vector's life as a staircase, and where the PPR cuts it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks import ladder, staircase
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_sessions.views.snapshot import VcpuSnapshot
    from lapis_tui.blocks.staircase import Column
    from lapis_tui.view import View

LEFT, RIGHT = 4, 24
"""Cells of the class at the left, and of what is said at the right."""
WIDEST = 4
"""Cells of a column."""
CHROME = 5
"""Rows beside the classes: two above, three below."""
IF = 1 << 9
SVR_ENABLE = 1 << 8
TPR, EOI = 0xFEE0_0080, 0xFEE0_00B0
"""Registers in xAPIC mode (SDM Vol. 3A "Local APIC Register Address Map")."""
ROLES = {
    "arrived": "warn", "service": "good", "preempted": "held", "ended": "dim",
    "none": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stair:
    """What is drawn of one vCPU."""

    past: Sequence[Column]
    ahead: Sequence[Column]
    cells: int
    """Of a column."""

    @property
    def vectors(self) -> list[int]:
        """Every vector that lives in it, highest first."""
        found: set[int] = set()
        for column in (*self.past, *self.ahead):
            found |= column.irr | column.isr
            if column.ended is not None:
                found.add(column.ended)
        return sorted(found, reverse=True)


def stair(view: View, vcpu: int, width: int) -> Stair:
    """Return what there is to be drawn in so many cells."""
    room = max(width - LEFT - RIGHT - 1, 1)
    apic = view.now.vcpus[vcpu].apic
    past_events = staircase.of(view.events, vcpu, room)
    past = staircase.columns(past_events, apic.irr, apic.isr)
    later = [
        e
        for e in view.ahead[: staircase.SCANNED]
        if e.event.vcpu == vcpu and isinstance(e.event, staircase.KINDS)
    ][: room // 3]
    ahead = staircase.columns([*past_events, *later])[len(past) :] if later else []
    if later and not past_events:
        ahead = staircase.columns(later, apic.irr, apic.isr)
    cells = max(min(room // max(len(past) + len(ahead), 1), WIDEST), 1)
    count = room // cells - len(ahead)
    return Stair(past[max(len(past) - count, 0) :], ahead, cells)


def lives(view: View, vcpu: int, width: int) -> list[int]:
    """Return the vectors that a key can choose, highest first."""
    apic = view.now.vcpus[vcpu].apic
    found = set(stair(view, vcpu, width).vectors) | {*apic.irr, *apic.isr}
    return sorted(found, reverse=True)


def render(view: View, chosen: int | None, size: tuple[int, int]) -> list[Line]:
    """Return the staircase of the selected vCPU."""
    width, height = size
    vcpu = view.vcpu
    it = stair(view, vcpu.id, width)
    body = _body(view, it, chosen, width, max(height - CHROME, 1))
    out = [_legend(width), *body]
    out += [Line().fit(width)] * (height - CHROME + 1 - len(out))
    out += [_pprs(it, width), _cursor(view, it, width), *_below(view, vcpu, width)]
    return out[:height] if height else []


def _legend(width: int) -> Line:
    words = {
        "arrived": "arrived", "service": "in service", "preempted": "preempted",
        "ended": "EOI",
    }  # fmt: skip
    line = Line(" class", "label")
    for state, word in words.items():
        line.add(f"  {staircase.GLYPHS[state]} ", ROLES[state]).add(word, "label")
    return line.pad(width - RIGHT).add("vector where  why", "label").fit(width)


def _body(
    view: View, it: Stair, chosen: int | None, width: int, room: int
) -> list[Line]:
    """Return the rows of vectors, cut by the PPR, empty classes if they fit."""
    apic = view.vcpu.apic
    rows: list[tuple[int, Line]] = []
    for vector in sorted({*it.vectors, *apic.irr, *apic.isr}, reverse=True):
        rows.append((vector, _life(view, it, vector, width, chosen=vector == chosen)))
        if any(column.waits_again(vector) for column in (*it.past, *it.ahead)):
            rows.append((vector, _again(view, it, vector, width)))
    there = {vector >> 4 for vector, _ in rows}
    spare = room - 1 - len(rows)
    for class_ in range(15, -1, -1):
        if class_ not in there and spare > 0:
            spare -= 1
            key = class_ << 4
            rows.append((key, Line(f" {class_:x}", "dim").fit(width)))
    rows.sort(key=lambda row: -(row[0] >> 4))
    cut = next((n for n, (v, _) in enumerate(rows) if v >> 4 <= apic.ppr >> 4), None)
    lines = [line for _, line in rows]
    lines.insert(len(lines) if cut is None else cut, _ppr(view, width))
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], Line(f" {hidden} more rows: z", "warn").fit(width)]
    return lines


def _life(view: View, it: Stair, vector: int, width: int, *, chosen: bool) -> Line:
    line = Line(">" if chosen else " ", "title").add(f"{vector >> 4:x}", "label")
    line.add("  ")
    for column in it.past:
        _mark(line, column.state(vector), it.cells)
    line.add("│", "rule")
    for column in it.ahead:
        _mark(line, column.state(vector), it.cells, ahead=True)
    line = line.fit(max(width - RIGHT, 0)).add(" ")
    apic = view.vcpu.apic
    if vector in apic.isr or vector in apic.irr:
        where = "ISR" if vector in apic.isr else "IRR"
        said = staircase.why(vector, apic.irr, apic.isr, apic.ppr)
        line.add(f"{vector:02x}", "strong").add(f"  {where}  ", "label").add(said)
    else:
        line.add(f"{vector:02x}", "dim")
    line = line.fit(width)
    line.role = "cursor" if chosen else ""
    return line


def _again(view: View, it: Stair, vector: int, width: int) -> Line:
    """Return where a vector waits while it is in service."""
    line = Line("    ")
    for column in it.past:
        _mark(line, "arrived" if column.waits_again(vector) else "none", it.cells)
    line.add("│", "rule")
    for column in it.ahead:
        state = "arrived" if column.waits_again(vector) else "none"
        _mark(line, state, it.cells, ahead=True)
    line = line.fit(max(width - RIGHT, 0)).add(" ")
    apic = view.vcpu.apic
    if vector in apic.irr and vector in apic.isr:
        line.add(f"{vector:02x}", "strong").add("  IRR  ", "label").add("same vector")
    return line.fit(width)


def _mark(line: Line, state: str, cells: int, *, ahead: bool = False) -> None:
    glyph = staircase.GLYPHS[state]
    text = glyph * cells if state != "ended" else glyph.ljust(cells)
    line.add(text, "dim" if ahead else ROLES[state])


def _ppr(view: View, width: int) -> Line:
    """Return the line below which vectors are held back."""
    apic = view.vcpu.apic
    won = ladder.winner(apic.tpr, apic.isr)
    tail = f" PPR {apic.ppr:02x} = {won} "
    return Line("━" * max(width - len(tail) - 2, 0), "title").add(tail).fit(width)


def _pprs(it: Stair, width: int) -> Line:
    """Return the class of the PPR after each event."""
    line = Line("PPR ", "label")
    for column in it.past:
        line.add(_digit(column).ljust(it.cells), "")
    line.add("│", "rule")
    for column in it.ahead:
        line.add(_digit(column).ljust(it.cells), "dim")
    return line.fit(width)


def _digit(column: Column) -> str:
    return "?" if column.ppr is None else f"{column.ppr >> 4:x}"


def _cursor(view: View, it: Stair, width: int) -> Line:
    """Return the mark below the event that the cursor is on."""
    line = Line("    ")
    at = view.at if view.at is not None else view.now.events_total - 1
    upto = [n for n, c in enumerate((*it.past, *it.ahead)) if c.seq <= at]
    if upto:
        column = upto[-1]
        gap = column * it.cells + (column >= len(it.past))
        line.add(" " * gap).add("^", "title").add(f" #{at}", "label")
    else:
        line.add("no vector has come to this APIC yet", "dim")
    return line.fit(width)


def _below(view: View, vcpu: VcpuSnapshot, width: int) -> list[Line]:
    apic = vcpu.apic
    line = Line(f" vCPU {vcpu.id} ", "label")
    interrupts = bool(vcpu.regs["rflags"] & IF)
    enabled = bool(apic.svr & SVR_ENABLE)
    line.extend(
        ladder.verdict(apic.ppr, apic.irr, interrupts=interrupts, enabled=enabled)
    )
    line.add(f"   TPR {apic.tpr:02x}  IF {int(interrupts)}", "label")
    others = Line(" ")
    for each in view.now.vcpus:
        if each.id != vcpu.id:
            irr = " ".join(f"{v:02x}" for v in each.apic.irr) or "."
            isr = " ".join(f"{v:02x}" for v in each.apic.isr) or "."
            others.add(f"vCPU {each.id} ", "label").add(f"PPR {each.apic.ppr:02x} ")
            others.add(f"IRR {irr} ISR {isr}   ")
    return [line.fit(width), others.fit(width)]


class PriorityPane(LinePane):
    """The staircase; its keys ask, and set."""

    TITLE = "priority"
    ABOUT = (
        "What has become of each vector on the selected vCPU's APIC, one column an "
        "event: it arrives in the IRR, is in service, is preempted, and ends by EOI. "
        "Vectors below the line of the PPR are held back; what is ahead is dim."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the vector above", show=False),
        Binding("j,down", "choose(1)", "the vector below", show=False),
        Binding("enter", "why", "irq why of the vector", show=False),
        Binding("e", "eoi", "write EOI (xAPIC mode)", show=False),
        Binding("t", "tpr", "set TPR (xAPIC mode)", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="priority")
        self._view: View | None = None
        self._chosen: int | None = None

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.border_title = f"{self.TITLE}, vCPU {view.selected}"
        self.draw(partial(render, view, self._chosen))

    def action_choose(self, by: int) -> None:
        """Choose another vector."""
        if self._view is None:
            return
        there = lives(self._view, self._view.selected, self.extent[0])
        if there:
            now = self._chosen
            at = there.index(now) + by if now in there else 0
            self._chosen = there[max(0, min(at, len(there) - 1))]
            self.update(self._view)

    def action_why(self) -> None:
        """Ask why the vector waits."""
        if self._view is None:
            return
        there = lives(self._view, self._view.selected, self.extent[0])
        if not there:
            self.post_message(self.Hint("no vector has come to this APIC yet"))
            return
        vector = self._chosen if self._chosen in there else there[0]
        self.post_message(self.Sheet(f"irq why {vector:#x} {self._view.selected}"))

    def action_eoi(self) -> None:
        """Write the EOI register of the selected vCPU."""
        if self._view is not None:
            line = f"kernemu write {EOI:#x} 4 0 --vcpu {self._view.selected}"
            self.post_message(self.Wish(line, quiet=False))

    def action_tpr(self) -> None:
        """Type the command that writes the TPR of the selected vCPU."""
        if self._view is not None:
            text = f"kernemu write {TPR:#x} 4 VALUE --vcpu {self._view.selected}"
            self.post_message(self.Begun(text, text.index("VALUE"), len("VALUE")))
