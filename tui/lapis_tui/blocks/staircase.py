"""The staircase: columns are events, rows are priority classes and their vectors.

What is under the line of the PPR is held back: a vector is delivered when its class is
above the PPR's (SDM Vol. 3A "Task and Processor Priorities").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.events import VectorEnded
from lapis_sessions.views.vectors import Held, Life, Phase, VectorCourse, held
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.marks import MARKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GLYPHS: Final[Mapping[str, str]] = {
    "arrived": "░", "in service": "█", "preempted": "▒", "ended": "╵", "ppr": "━",
    "tpr": "┄", "here": "^", "ahead": "┃", "now": "│", "chosen": ">",
}  # fmt: skip
"""What the chart is drawn with."""
ROLES: Final = {
    Phase.ARRIVED: "held", Phase.SERVED: "good", Phase.PREEMPTED: "warn",
}  # fmt: skip
LEGEND: Final = ("arrived", "in service", "preempted", "ended")
MARGIN: Final = 5
"""Cells left of the chart: the class."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A part of a course, as wide as there is room for."""

    course: VectorCourse
    first: int
    """Its first step."""
    edges: tuple[int, ...]
    """Cell that each step begins at, ascending, from 0 on."""
    width: int
    cursor: int
    """Step that the cursor is on, or -1: there is none."""

    @property
    def last(self) -> int:
        """The step after the last one."""
        return self.first + len(self.edges)

    def spans(self) -> list[tuple[int, int, int]]:
        """Return each step with its first cell and the one after its last."""
        ends = (*self.edges[1:], self.width)
        return [
            (self.first + n, edge, end)
            for n, (edge, end) in enumerate(zip(self.edges, ends, strict=True))
        ]


@dataclass(frozen=True, slots=True)
class VectorRow:
    """A vector's row, and the lives in it."""

    vector: int
    lives: tuple[Life, ...]

    def at(self, step: int) -> Life | None:
        """Return the life that is there after a step."""
        return next((life for life in self.lives if life.is_at(step)), None)


def chart(course: VectorCourse, cursor: int, width: int, cell: int) -> Chart:
    """Return the part around step `cursor`, `cell` cells a step.

    What is to come has a third of the room, and more when there is less that was.
    """
    room = max(width // cell, 1)
    count = len(course.steps)
    later = min(count - 1 - cursor, room // 3)
    first = max(cursor + later + 1 - room, 0)
    last = min(first + room, count)
    edges = tuple(n * cell for n in range(last - first))
    return Chart(course, first, edges, width, cursor)


def timed(drawn: Chart, width: int) -> Chart:
    """Return the same steps where their virtual time puts them."""
    steps = drawn.course.steps[drawn.first : drawn.last]
    if len(steps) < 2 or steps[-1].at == steps[0].at:
        return drawn
    begin, span = steps[0].at, steps[-1].at - steps[0].at
    room = max(width - 3, 1)
    edges = tuple((each.at - begin) * room // span for each in steps)
    return Chart(drawn.course, drawn.first, edges, width, drawn.cursor)


def rows(drawn: Chart) -> list[VectorRow]:
    """Return the rows of the vectors in a chart, the highest first.

    A vector that arrives again while it is in service has a second row.
    """
    lanes: dict[int, list[list[Life]]] = {}
    seen = (
        life
        for life in drawn.course.lives
        if life.start < drawn.last and (life.end is None or life.end >= drawn.first)
    )
    for life in sorted(seen, key=lambda each: each.start):
        mine = lanes.setdefault(life.vector, [])
        for lane in mine:
            if lane[-1].end is not None and lane[-1].end <= life.start:
                lane.append(life)
                break
        else:
            mine.append([life])
    return [
        VectorRow(vector, tuple(lane))
        for vector in sorted(lanes, reverse=True)
        for lane in lanes[vector]
    ]


def lane(drawn: Chart, row: VectorRow, tops: Sequence[int]) -> Line:
    """Return the cells of one vector."""
    cells = [(" ", "")] * drawn.width
    for step, begin, end in drawn.spans():
        life = row.at(step)
        if life is not None:
            phase = _phase(life, step, tops[step - drawn.first])
            look = GLYPHS[phase], _role(drawn, step, ROLES[phase])
            cells[begin:end] = [look] * (end - begin)
        elif begin < end and any(
            each.end == step and each.is_eoi for each in row.lives
        ):
            cells[begin] = GLYPHS["ended"], _role(drawn, step, "strong")
    return joined(_ruled(drawn, cells))


def _phase(life: Life, step: int, top: int) -> Phase:
    if not life.is_served(step):
        return Phase.ARRIVED
    return Phase.SERVED if life.vector == top else Phase.PREEMPTED


def _role(drawn: Chart, step: int, role: str) -> str:
    """What has not happened is dim."""
    return role if step < drawn.course.happened else "dim"


def boundary(drawn: Chart, class_: int) -> Line | None:
    """Return the line above a class: where PPR or TPR were in it; None: nowhere."""
    cells, found = [(" ", "")] * drawn.width, False
    for step, begin, end in drawn.spans():
        for name, told in (("tpr", drawn.course.tpr), ("ppr", drawn.course.ppr)):
            value = told[step]
            if value is not None and value >> 4 == class_ and begin < end:
                look = GLYPHS[name], _role(drawn, step, "held")
                cells[begin:end] = [look] * (end - begin)
                found = True
    return joined(_ruled(drawn, cells)) if found else None


def _ruled(drawn: Chart, cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rule off what has not happened."""
    border = drawn.course.happened - drawn.first
    if 0 < border < len(drawn.edges):
        at = max(drawn.edges[border] - 1, 0)
        cells[at] = GLYPHS["ahead"], "rule"
    return cells


def joined(cells: Sequence[tuple[str, str]]) -> Line:
    """Return cells as a line, those alike in one span."""
    line, text, role = Line(), "", ""
    for glyph, look in cells:
        if look != role:
            line.add(text, role)
            text, role = "", look
        text += glyph
    return line.add(text, role)


def kinds(drawn: Chart) -> Line:
    """Return the row that says by its mark what each event is."""
    cells = [(" ", "")] * drawn.width
    for step, begin, end in drawn.spans():
        event = drawn.course.steps[step].event
        glyph, role = MARKS.get(event.kind, ("*", "dim"))
        if begin < end:
            cells[begin] = glyph, _role(drawn, step, role)
    return joined(_ruled(drawn, cells))


def feet(drawn: Chart) -> Line:
    """Return the row that marks the column of the cursor."""
    cells = [(" ", "")] * drawn.width
    for step, begin, _ in drawn.spans():
        if step == drawn.cursor:
            cells[min(begin, drawn.width - 1)] = GLYPHS["here"], "here"
    return joined(cells)


def numbers(drawn: Chart) -> Line:
    """Return the row of the events' numbers, as many as fit."""
    return _heads(drawn, [f"#{each.seq}" for each in drawn.course.steps])


def times(drawn: Chart) -> Line:
    """Return the row of virtual time in us, as much as fits."""
    texts = [f"{e.at // 1000}.{e.at % 1000:03}" for e in drawn.course.steps]
    return _heads(drawn, texts)


def _heads(drawn: Chart, texts: Sequence[str]) -> Line:
    line = Line()
    for step, begin, _ in drawn.spans():
        text = texts[step]
        is_free = begin >= line.width + bool(line.width)
        if is_free and begin + len(text) <= drawn.width:
            role = "here" if step == drawn.cursor else "dim"
            line.add(" " * (begin - line.width)).add(text, role)
    return line.fit(drawn.width)


def legend(width: int) -> Line:
    """Return what the glyphs mean, as much as fits."""
    line = Line()
    for name in (*LEGEND, "ppr", "tpr"):
        text = {"ppr": "PPR", "tpr": "TPR", "ended": "EOI"}.get(name, name)
        if line.width + len(text) + 4 <= width:
            line.add(f" {GLYPHS[name]} ").add(text, "dim")
    return line


def why(
    drawn: Chart, life: Life, *, interrupts: bool | None, enabled: bool | None
) -> tuple[str, str, str]:
    """Say where a vector is at the cursor, what of it, and the role of that."""
    step, course = drawn.cursor, drawn.course
    irr, isr = course.irr(step), course.isr(step)
    if life.is_served(step):
        top = max(isr)
        if life.vector == top:
            return "ISR", "runs", "good"
        above = min(vector for vector in isr if vector > life.vector)
        return "ISR", f"under {above:02x}", "warn"
    ppr = course.ppr[step]
    why_ = held(
        life.vector, irr, isr, ppr, interrupts=interrupts, enabled=enabled
    )  # fmt: skip
    texts = {
        None: "waits",
        Held.OFF: "APIC soft-off",
        Held.SAME: "same in service",
        Held.CLASS: f"{life.vector >> 4:x} <= PPR {(ppr or 0) >> 4:x}",
        Held.LOWER: f"after {max(irr):02x}",
        Held.MASKED: "IF=0",
        Held.NEXT: "next",
    }
    return "IRR", texts[why_], "good" if why_ is Held.NEXT else "held"


def ended_by(drawn: Chart, row: VectorRow) -> int | None:
    """Return the number of the EOI that is known to end what is at the cursor."""
    life = row.at(drawn.cursor)
    if life is None or life.end is None:
        return None
    logged = drawn.course.steps[life.end]
    return logged.seq if isinstance(logged.event, VectorEnded) else None
