"""Lanes: what happened to each processor on its way up, one row a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line, time, wrapped
from lapis_tui.blocks.marks import MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.views.boot import Boot, Moment, Steps

HEAD: Final = 24
"""Cells of time and event at the left."""
LEAST: Final = 16
"""Cells of a lane."""
FOLDED: Final = 2_000
"""ns without a row that are told in a row of their own."""
RUNNING: Final = {
    "runs": ("│", "symbol"), "halted": ("z", "held"), "waits": (":", "dim"),
}  # fmt: skip
"""A glyph and a role for what a processor does between two rows."""
OWN: Final = {
    "init": ("▼", "warn"), "sipi": ("▼", "warn"), "boot": ("◆", "good"),
    "mode": ("├", "symbol"), "ignored": ("x", "bad"), "ipi": ("●", "symbol"),
}  # fmt: skip
"""Glyphs of cells where they are not those of events."""
DONE: Final = "✓"
TO_DO: Final = "·"


def fitting(width: int, cpus: int) -> int:
    """Return how many lanes fit."""
    return max(1, min(cpus, (width - HEAD) // LEAST))


def shown(width: int, cpus: int, selected: int) -> range:
    """Return the vCPUs that have a lane: the first ones, unless `selected` is not."""
    count = fitting(width, cpus)
    first = 0 if selected < count else min(selected - count // 2, cpus - count)
    return range(first, first + count)


def heading(lanes: range, cpus: int, selected: int, width: int) -> Line:
    """Return the row that names the lanes."""
    line = Line("      us  event", "label").pad(HEAD)
    each = (width - HEAD) // len(lanes)
    for number in lanes:
        name = f"vCPU {number}{' bsp' if number == 0 else ''}"
        line.add(f"{name}{'*' if number == selected else ''}".ljust(each), "title")
    hidden = cpus - len(lanes)
    return line.fit(width) if not hidden else _with_tail(line, f"{hidden} more", width)


def _with_tail(line: Line, tail: str, width: int) -> Line:
    return line.fit(max(width - len(tail) - 1, 0)).add(f" {tail}", "label").fit(width)


def row(it: Moment, lanes: range, width: int, *, here: bool, ahead: bool) -> Line:
    """Return a moment; `here` is the cursor, what is `ahead` is dim."""
    line = Line(">" if here else " ", "title")
    line.add(f"{it.at // 1000:>6}.{it.at % 1000:03} ", "dim" if ahead else "")
    line.add(f"{it.label[: HEAD - 14]}", "dim" if ahead else "label").pad(HEAD)
    each = max((width - HEAD) // len(lanes), 1)
    reach = _reach(it, lanes)
    for number in lanes:
        cell = _cell(it, number)
        fill = "═" if number in reach else " "
        room = each - 1 if fill == "═" else each
        piece = cell if cell.width <= each - 1 else cell.fit(each - 1)
        piece = Line().extend(piece).add(fill * max(room - piece.width, 0), "warn")
        if fill == "═":
            piece.add(">" if number + 1 in it.targets else "═", "warn")
        line.extend(_dimmed(piece) if ahead else piece)
    line = line.fit(width)
    line.role = "cursor" if here else ""
    return line


def _reach(it: Moment, lanes: range) -> range:
    """Return the lanes that an arrow goes through to the right."""
    if it.sender is None or not it.targets:
        return range(0)
    first = it.sender if it.sender >= 0 else lanes[0]
    return range(first, max(it.targets))


def _cell(it: Moment, number: int) -> Line:
    cell = it.cells.get(number)
    if cell is None:
        glyph, role = RUNNING[it.lanes[number]] if number < len(it.lanes) else (" ", "")
        if it.sender is not None and it.targets and number in _reach(it, range(1)):
            return Line("═", "warn")
        return Line(glyph, role)
    glyph, role = OWN.get(cell.mark) or MARKS.get(cell.mark, ("·", ""))
    joint = "═" if it.sender == number and it.targets else " "
    return Line(glyph, role).add(joint, "warn").add(cell.text, role)


def _dimmed(line: Line) -> Line:
    return Line(line.plain, "dim")


def gap(ns: int, width: int) -> Line:
    """Return the row of a stretch in which nothing of this happened."""
    return Line(" " * 12, "dim").add(f"┄┄ {time(ns)} ┄┄", "dim").fit(width)


def reasons(it: Moment, width: int) -> list[Line]:
    """Return why what was sent did nothing."""
    return [
        Line(" " * HEAD).add("x ", "bad").add(why, "warn").fit(width)
        for why in it.reasons
    ]


def checklist(
    number: int, steps: Steps, width: int, *, selected: bool, ran: bool
) -> Line:
    """Return how far a processor has come, step by step.

    `ran` tells that it has retired an instruction.
    """
    line = Line(">" if selected else " ", "title").add(f"vCPU {number} ", "label")
    if number:
        _step(line, "INIT", done=steps.init)
        sipi = "SIPI" if steps.sipi is None else f"SIPI {steps.sipi:02x}"
        _step(line, sipi, done=steps.sipi is not None)
    _step(line, "runs", done=ran)
    for mode, name in (("real", "16"), ("protected", "32"), ("long", "long 64")):
        _step(line, name, done=mode in steps.modes)
    _step(line, "hlt", done=steps.halted)
    first = "" if steps.interrupt is None else f" {steps.interrupt:02x}"
    _step(line, f"first interrupt{first}", done=steps.interrupt is not None)
    return line.fit(width)


def _step(line: Line, text: str, *, done: bool) -> None:
    line.add(f"{DONE if done else TO_DO} ", "good" if done else "dim")
    line.add(f"{text} ", "" if done else "dim")


def why(
    number: int, steps: Steps, sentence: str | None, width: int, most: int
) -> list[Line]:
    """Return why a processor stands, and what became of what was sent to it.

    The sentence has as many as `most` rows.
    """
    out = []
    if sentence is not None:
        head = f" why vcpu {number}: "
        first, *rest = wrapped(head + sentence, max(width, len(head) + 1))
        out.append(Line(head, "label").add(first[len(head) :], "warn"))
        out += [Line(f"   {row}", "warn") for row in rest][: most - 1]
    sent = [
        f"last {name} {fate}"
        for name, fate in (("INIT", steps.last_init), ("SIPI", steps.last_sipi))
        if fate is not None
    ]
    if number and sentence is not None:
        tail = ", ".join(sent) or "no INIT came to it"
        out.append(Line("   ").add(tail, "held").add("   w: more", "dim"))
    return [line.fit(width) for line in out]


def body(
    it: Boot, ahead: Sequence[Moment], cursor: int, lanes: range, size: tuple[int, int]
) -> list[Line]:
    """Return the rows about event `cursor`, as many as fit."""
    width, height = size
    rows = [*it.rows, *ahead]
    at = max((n for n, each in enumerate(rows) if each.seq <= cursor), default=0)
    out: list[Line] = []
    mark = 0
    first = max(at - height, 0)
    for number, each in enumerate(rows[first : at + height + 1], first):
        before = rows[number - 1].at if number else each.at
        if each.at - before >= FOLDED:
            out.append(gap(each.at - before, width))
        if number == at:
            mark = len(out)
        out.append(
            row(each, lanes, width, here=number == at, ahead=number >= len(it.rows))
        )
        out += reasons(each, width)
    behind = len(out) - mark - 1
    start = max(min(mark - height + 1 + min(behind, height // 3), len(out) - height), 0)
    return out[start : start + height]
