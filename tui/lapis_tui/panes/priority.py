"""The priority pane: what became of each vector, event by event, and why it waits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import Rebooted
from lapis_sessions.views import vectors
from lapis_tui.blocks import apic_sheet, ladder, staircase
from lapis_tui.blocks.lines import Line
from lapis_tui.panes import apics
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Logged
    from lapis_sessions.views.vectors import VectorCourse
    from lapis_tui.blocks.staircase import Chart, VectorRow
    from lapis_tui.view import View

REACH = 2_048
"""Events before and after the cursor that are looked at: what a frame may cost."""
NEAR = 64
"""Those about one vCPU's interrupts before and after it that are followed."""
WIDE = 110
"""Columns from which on the chart has room for more beside it."""
CELLS = {False: 4, True: 7}
"""Cells of an event, narrow and wide."""
SIDES = ((160, 64), (WIDE, 46), (0, 28))
"""Cells of the list of vectors, by the columns of the pane."""
SINCE = 36
"""Cell of the list from which on a wide one tells since when, and from whom."""
APIC_ROWS = 6
"""Rows of the arithmetic below the chart."""
LEAST = 7
"""Rows that a staircase is of use in."""


@dataclass(frozen=True, slots=True)
class VectorChoice:
    """What the user has chosen in the pane."""

    vector: int | None = None
    by_time: bool = False
    all_vcpus: bool = False


def render(view: View, choice: VectorChoice, size: tuple[int, int]) -> list[Line]:
    """Return the staircase of the selected vCPU, or one for each that has room."""
    width, height = size
    if width <= 0 or height <= 0:
        return []
    numbers = _shown(view, height) if choice.all_vcpus else [view.selected]
    stretch = _stretch(view)
    share, rest = divmod(height, len(numbers))
    out: list[Line] = []
    for index, number in enumerate(numbers):
        rows = share + (index < rest)
        out += _one(view, stretch, number, choice, (width, rows))
    return [line.fit(width) for line in out[:height]]


def _shown(view: View, height: int) -> list[int]:
    """Return as many vCPUs as there is room for, the selected one among them."""
    count = len(view.now.vcpus)
    room = max(min(height // LEAST, count), 1)
    first = max(min(view.selected - room // 2, count - room), 0)
    return list(range(first, first + room))


@dataclass(slots=True)
class Part:
    """The events about one vCPU's interrupts, near the cursor."""

    past: list[Logged] = field(default_factory=list)
    """Up to the cursor."""
    on: list[Logged] = field(default_factory=list)
    """Behind it, and has happened."""
    ahead: list[Logged] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The events around the cursor."""

    parts: Sequence[Part]
    reaches_now: bool
    cursor: int
    """Number of the event that it is on."""

    def is_now(self, number: int) -> bool:
        """Tell whether what is shown of a vCPU reaches the present."""
        return self.reaches_now and len(self.parts[number].on) <= NEAR


def _stretch(view: View) -> Stretch:
    """Return the events about interrupts within reach of the cursor."""
    past = view.events
    cursor = past.next_seq - 1 if view.at is None else view.at
    at = past.index_of(cursor + 1)
    end = min(at + REACH, len(past))
    reaches_now = end == len(past)
    parts = [Part() for _ in view.now.vcpus]
    _sort(past[max(at - REACH, 0) : at], [part.past for part in parts])
    _sort(past[at:end], [part.on for part in parts])
    if reaches_now:
        _sort(view.ahead[:REACH], [part.ahead for part in parts])
    return Stretch(parts, reaches_now, cursor)


def _sort(events: Iterable[Logged], to: Sequence[list[Logged]]) -> None:
    """Give each vCPU the events that its course is made of."""
    kinds = vectors.KINDS
    for logged in events:
        event = logged.event
        if type(event) not in kinds:
            continue
        if isinstance(event, Rebooted):
            for each in to:
                each.append(logged)
        elif 0 <= event.vcpu < len(to):
            to[event.vcpu].append(logged)


def course_of(view: View, number: int, stretch: Stretch) -> VectorCourse:
    """Return what became of the vectors of a vCPU around the cursor."""
    part, is_now = stretch.parts[number], stretch.is_now(number)
    return vectors.course(
        [*part.past[-NEAR:], *part.on[:NEAR]],
        part.ahead[:NEAR] if is_now else (),
        number,
        view.now.vcpus[number].apic if is_now else None,
        disabling_resets=view.now.switches.apic_disable_resets,
    )


def _sharing(width: int) -> tuple[int, int]:
    """Return the cells of the list and those of the chart."""
    side = next(cells for least, cells in SIDES if width >= least)
    side = min(side, max(width - staircase.MARGIN - 8, 0))
    return side, max(width - staircase.MARGIN - side - 1, 1)


def _step_of(course: VectorCourse, seq: int) -> int:
    """Return the last step at or before event `seq`, -1 if there is none."""
    return sum(each.seq <= seq for each in course.steps) - 1


def _drawn(
    course: VectorCourse, seq: int, choice: VectorChoice, width: int, *, wide: bool
) -> Chart:
    cell = CELLS[wide]
    cursor = _step_of(course, seq)
    drawn = staircase.chart(course, max(cursor, 0), width, cell)
    drawn = replace(drawn, cursor=cursor)
    return staircase.timed(drawn, width) if choice.by_time else drawn


def _one(
    view: View,
    stretch: Stretch,
    number: int,
    choice: VectorChoice,
    size: tuple[int, int],
) -> list[Line]:
    """Return the staircase of one vCPU: head, classes, feet, arithmetic."""
    width, height = size
    wide = width >= WIDE
    side, room = _sharing(width)
    course = course_of(view, number, stretch)
    head = _head(view, number, course, stretch, width)
    if not course.steps and not course.lives:
        note = Line(" no vector has come to this APIC yet", "dim").fit(width)
        return _filled([head, note], width, height)
    drawn = _drawn(course, stretch.cursor, choice, room, wide=wide)
    foot = [_beside("", staircase.kinds(drawn), Line(), side),
            _beside("", staircase.feet(drawn), Line(), side)]  # fmt: skip
    top = [head]
    if height >= 12:
        top.append(_beside("  ev ", staircase.numbers(drawn), _titles(side), side))
    if height >= 16:
        top.append(_beside("  us ", staircase.times(drawn), Line(), side))
    below = _below(view, number, stretch, width) if height >= 24 else []
    if height >= 20:
        below.insert(0, staircase.legend(width))
    space = max(height - len(top) - len(foot) - len(below), 1)
    body = _body(view, number, stretch, drawn, choice, (side, space))
    gap = height - len(top) - len(body) - len(foot) - len(below)
    blank = [Line()] * max(gap, 0)
    return _filled([*top, *body, *foot, *blank, *below], width, height)


def _filled(made: Sequence[Line], width: int, height: int) -> list[Line]:
    out = [line.fit(width) for line in made[:height]]
    return out + [Line().fit(width)] * (height - len(out))


def _head(
    view: View, number: int, course: VectorCourse, stretch: Stretch, width: int
) -> Line:
    """Say what makes the PPR, now or as the last event told."""
    line = Line(f" vCPU {number} ", "title" if number == view.selected else "label")
    step = _step_of(course, stretch.cursor)
    if stretch.is_now(number) and step == course.happened - 1:
        apic = view.now.vcpus[number].apic
        line.add(f" {apic.mode} id {apic.id:02x}  ", "dim")
        line.add(f"PPR {apic.ppr:02x}", "strong")
        line.add(f" = {ladder.winner(apic.tpr, apic.isr)}")
        return line.add(f"  CR8 {apic.tpr >> 4:x}  TPR {apic.tpr:02x}").fit(width)
    ppr = course.ppr[step] if 0 <= step < len(course.ppr) else None
    line.add(f" at #{stretch.cursor}  ", "here")
    return line.add("PPR not known" if ppr is None else f"PPR {ppr:02x}").fit(width)


def _titles(side: int) -> Line:
    line = Line("  vec where", "dim")
    if side >= SINCE + 8:
        line.pad(SINCE).add("since  from", "dim")
    return line


def _beside(left: str, cells: Line, right: Line, side: int) -> Line:
    """Return a row: margin, chart, rule, list."""
    line = Line(left.ljust(staircase.MARGIN), "dim").extend(cells)
    return line.add("│", "rule").extend(right.fit(side))


def _body(
    view: View,
    number: int,
    stretch: Stretch,
    drawn: Chart,
    choice: VectorChoice,
    size: tuple[int, int],
) -> list[Line]:
    """Return the classes from the highest down, with their vectors and the lines."""
    side, space = size
    rows = staircase.rows(drawn)
    bounds = {c: line for c in range(16) if (line := staircase.boundary(drawn, c))}
    used = {row.vector >> 4 for row in rows} | set(bounds)
    kept, hidden = _kept(drawn, rows, space - len(bounds), choice.vector)
    spare = space - len(bounds) - len(kept) - bool(hidden)
    empty = [c for c in range(15, -1, -1) if c not in used]
    shown = set(empty) if spare >= len(empty) else set()
    tops = drawn.course.tops(drawn.first, drawn.last)
    out: list[Line] = []
    for class_ in range(15, -1, -1):
        if class_ in bounds:
            out.append(_bound(drawn, class_, bounds[class_], side))
        mine = [row for row in kept if row.vector >> 4 == class_]
        for index, row in enumerate(mine):
            text = _listed(view, number, stretch, drawn, row, choice, side)
            left = "" if index else f"  {class_:x}"
            out.append(_beside(left, staircase.lane(drawn, row, tops), text, side))
        if class_ in shown:
            out.append(_beside(f"  {class_:x}", Line().fit(drawn.width), Line(), side))
    if hidden:
        out.append(Line(f"  {hidden} more vectors; z enlarges", "dim"))
    return out[:space]


def _kept(
    drawn: Chart, rows: Sequence[VectorRow], room: int, chosen: int | None
) -> tuple[list[VectorRow], int]:
    """Return the rows there is room for: those alive at the cursor go first."""
    if len(rows) <= room:
        return list(rows), 0
    order = sorted(
        rows,
        key=lambda row: (
            row.vector != chosen, row.at(drawn.cursor) is None, -row.vector,
        ),
    )  # fmt: skip
    kept = order[: max(room - 1, 0)]
    return [row for row in rows if row in kept], len(rows) - len(kept)


def _bound(drawn: Chart, class_: int, cells: Line, side: int) -> Line:
    """Return the line above a class, and the values at the cursor."""
    step, text = drawn.cursor, Line()
    if step >= 0:
        for name, told in (("PPR", drawn.course.ppr), ("TPR", drawn.course.tpr)):
            value = told[step]
            if value is not None and value >> 4 == class_:
                text.add(f" {name} {value:02x}", "held")
    return _beside("", cells, text, side)


def _listed(
    view: View, number: int, stretch: Stretch, drawn: Chart, row: VectorRow,
    choice: VectorChoice, side: int,
) -> Line:  # fmt: skip
    """Return a row of the list: vector, where it is, why it waits, since when."""
    life = row.at(drawn.cursor)
    is_chosen = row.vector == choice.vector and number == view.selected
    line = Line(staircase.GLYPHS["chosen"] if is_chosen else " ", "title")
    line.add(f" {row.vector:02x}  ", "strong" if life else "dim")
    if life is None:
        return line
    vcpu = view.now.vcpus[number]
    is_now = stretch.is_now(number) and drawn.cursor == drawn.course.happened - 1
    where, text, role = staircase.why(
        drawn, life,
        interrupts=bool(vcpu.regs["rflags"] & apic_sheet.IF) if is_now else None,
        enabled=bool(vcpu.apic.svr & apic_sheet.SVR_ENABLE) if is_now else None,
    )  # fmt: skip
    line.add(f"{where}  ").add(text, role)
    if side < SINCE + 8:
        return line
    begun = life.served if life.is_served(drawn.cursor) else life.start
    if begun is not None and begun >= 0:
        line.pad(SINCE).add(f"#{drawn.course.steps[begun].seq}", "dim")
        line.add(f"  {life.source}" if life.source else "", "dim")
        line.add(f" and {life.more} more" if life.more else "", "dim")
    else:
        line.pad(SINCE).add("before", "dim")
    return line


def _below(view: View, number: int, stretch: Stretch, width: int) -> list[Line]:
    """Return IRR, ISR, PPR and TMR as they are now."""
    vcpu, before = view.now.vcpus[number], view.before.vcpus[number]
    title = Line(" now ", "title").add("─" * max(width - 5, 0), "rule")
    is_now = stretch.is_now(number)
    made = apics.column(vcpu, before, width)[:APIC_ROWS]
    return [title, *made] if is_now else []


class PriorityPane(LinePane):
    """The staircase of the selected vCPU, or of all."""

    TITLE = "priority"
    ABOUT = (
        "What became of each vector, event by event: arrived in the IRR, in service, "
        "preempted by one above it, ended by an EOI. What is under the line of the PPR "
        "is held back. The list tells where each is at the cursor, and why it waits."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the vector above", show=False),
        Binding("j,down", "choose(1)", "the vector below", show=False),
        Binding("enter", "why", "why this vector waits, as a sheet", show=False),
        Binding("v", "by_time", "columns by virtual time, or by event", show=False),
        Binding("A", "all_vcpus", "all vCPUs, or the selected one", show=False),
        Binding("e", "eoi", "write EOI", show=False),
        Binding("t", "tpr", "set the TPR", show=False),
    ]

    hints = (
        KeyHint("enter", "Enter", "why"), KeyHint("v", "v", "time"),
        KeyHint("A", "A", "all"),
    )  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="priority")
        self._view: View | None = None
        self.choice = VectorChoice()

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        of = "all vCPUs" if self.choice.all_vcpus else f"vCPU {view.selected}"
        self.call(f"{self.TITLE}, {of}")
        self.draw(partial(render, view, self.choice))

    def _choose(self, choice: VectorChoice) -> None:
        self.choice = choice
        if self._view is not None:
            self.update(self._view)

    def action_choose(self, by: int) -> None:
        """Choose another vector of those in the list."""
        if self._view is None:
            return
        there = _listed_vectors(self._view, self.choice, self.extent[0])
        if not there:
            return
        chosen = self.choice.vector
        at = there.index(chosen) + by if chosen in there else 0 if by > 0 else -1
        at = max(0, min(at, len(there) - 1)) if chosen in there else at
        self._choose(replace(self.choice, vector=there[at]))

    @property
    def vector(self) -> int | None:
        """The vector that is chosen, or the highest one at the cursor."""
        if self._view is None:
            return None
        drawn = _selected(self._view, self.choice, self.extent[0])
        rows = staircase.rows(drawn)
        if self.choice.vector in {row.vector for row in rows}:
            return self.choice.vector
        alive = [row for row in rows if row.at(drawn.cursor) is not None]
        return next((row.vector for row in [*alive, *rows]), None)

    def action_why(self) -> None:
        """Ask why the vector is where it is."""
        if self._view is None:
            return
        vector = self.vector
        if vector is None:
            self.post_message(self.Hint("no vector has come to this APIC yet"))
        else:
            self.post_message(self.Sheet(f"irq why {vector:#x} {self._view.selected}"))

    def action_eoi(self) -> None:
        """Write the EOI register of the selected vCPU."""
        if self._view is not None:
            line = f"eoi {self._view.selected}"
            self.post_message(self.Wish(line, quiet=False))

    def action_tpr(self) -> None:
        """Ask for a TPR and write it on the selected vCPU."""
        view = self._view
        if view is None:
            return
        number, tpr = view.selected, view.vcpu.apic.tpr

        def then(text: str) -> str | None:
            if not text.strip():
                return "a TPR is a number, 0 to 0xff"
            # Later: what is made while the screen hands a field over ends there.
            self.call_later(self._wish, f"tpr {text.strip()} {number}")
            return None

        self.post_message(
            self.Asked(f"TPR of vCPU {number}, now {tpr:02x}: ", "", then)
        )

    def _wish(self, line: str) -> None:
        self.post_message(self.Wish(line, quiet=False))

    def action_by_time(self) -> None:
        """Put the events where their time is, or side by side."""
        self._choose(replace(self.choice, by_time=not self.choice.by_time))

    def action_all_vcpus(self) -> None:
        """Show all vCPUs, or the selected one."""
        self._choose(replace(self.choice, all_vcpus=not self.choice.all_vcpus))


def _listed_vectors(view: View, choice: VectorChoice, width: int) -> list[int]:
    """Return the vectors of the selected vCPU in the chart, the highest first."""
    rows = staircase.rows(_selected(view, choice, width))
    return list(dict.fromkeys(row.vector for row in rows))


def _selected(view: View, choice: VectorChoice, width: int) -> Chart:
    """Return the chart of the selected vCPU."""
    stretch = _stretch(view)
    course = course_of(view, view.selected, stretch)
    wide, (_, room) = width >= WIDE, _sharing(width)
    return _drawn(course, stretch.cursor, choice, room, wide=wide)
