"""The tree of branches: each below the one that it left, named points on theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lapis_tui.blocks.lines import CURSOR, Line, count, signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lapis_engine.replay.capture import Position
    from lapis_sessions.views.history import History, HistoryBranch, HistoryPoint

NAME: Final = 24
"""Cells of a name with its place in the tree; a wide pane has more."""
LEAST_BAR: Final = 16
"""Cells from which a row has a bar."""
NUMBERS: Final = 32
"""Cells of where a branch begins and ends."""
DEEPEST: Final = 6
"""Branches of branches that are set in; deeper ones stand below each other."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A branch, or a named point on one."""

    kind: Literal["branch", "point"]
    name: str
    lead: str
    """The lines of the tree before the name."""
    begin: Position | None
    """Where a branch left its parent."""
    end: Position
    """Where a branch ends, or where a point is."""

    @property
    def key(self) -> tuple[str, str]:
        """What the cursor keeps of it."""
        return self.kind, self.name


def tree(history: History) -> list[TreeRow]:
    """Return the branches depth first; below each what lies on it, in its order."""
    shown = {branch.name for branch in history.branches}
    forks: dict[str, list[HistoryBranch]] = {}
    for branch in history.branches:
        has_parent = branch.parent in shown and branch.fork is not None
        forks.setdefault(branch.parent if has_parent else "", []).append(branch)
    points: dict[str, list[HistoryPoint]] = {}
    for point in history.named:
        points.setdefault(point.branch, []).append(point)
    out: list[TreeRow] = []
    for branch in forks.get("", []):
        out.append(_branch(branch, ""))
        out += _below(branch.name, "", forks, points)
    return out


def _branch(branch: HistoryBranch, lead: str) -> TreeRow:
    return TreeRow("branch", branch.name, lead, branch.fork, branch.end)


def _below(
    name: str,
    lead: str,
    forks: Mapping[str, Sequence[HistoryBranch]],
    points: Mapping[str, Sequence[HistoryPoint]],
) -> Iterator[TreeRow]:
    """Yield what hangs on a branch; how deep forks go is no matter of the stack."""
    waiting = [(name, lead, _hanging(name, forks, points))]
    while waiting:
        name, lead, hanging = waiting[-1]
        if not hanging:
            waiting.pop()
            continue
        each = hanging.pop(0)
        is_last = not hanging
        own = f"{lead}{'└' if is_last else '├'} "
        if isinstance(each, TreeRow):
            yield TreeRow("point", each.name, f"{own}◆ ", None, each.end)
            continue
        yield _branch(each, own)
        deeper = f"{lead}{' ' if is_last else '│'} "
        deeper = deeper if len(deeper) <= 2 * DEEPEST else lead
        waiting.append((each.name, deeper, _hanging(each.name, forks, points)))


def _hanging(
    name: str,
    forks: Mapping[str, Sequence[HistoryBranch]],
    points: Mapping[str, Sequence[HistoryPoint]],
) -> list[HistoryBranch | TreeRow]:
    """Return the forks of a branch and its named points, as they come along it."""
    placed: list[tuple[Position, HistoryBranch | TreeRow]] = [
        (point.at, TreeRow("point", point.name, "", None, point.at))
        for point in points.get(name, [])
    ]
    placed += [
        (branch.fork, branch)
        for branch in forks.get(name, [])
        if branch.fork is not None
    ]
    return [each for _, each in sorted(placed, key=lambda pair: pair[0])]


def render(
    rows: Sequence[TreeRow], history: History, chosen: int, size: tuple[int, int]
) -> list[Line]:
    """Return the rows about the chosen one, as many as fit."""
    width, height = size
    first = max(min(chosen - height // 2, len(rows) - height), 0)
    whole = max(max((row.end.retired for row in rows), default=1), 1)
    return [
        _line(row, history, whole, width, chosen=number == chosen)
        for number, row in enumerate(rows[first : first + height], first)
    ]


def _line(
    row: TreeRow, history: History, whole: int, width: int, *, chosen: bool
) -> Line:
    is_here = row.kind == "branch" and row.name == history.branch
    room = max(width - NUMBERS - 3, 8)
    bar = room - NAME if room - NAME >= LEAST_BAR else 0
    # The first cell is the cursor's: the row is not pushed over its end by it.
    line = Line(" >" if is_here else "  ", "title").add(row.lead, "rule")
    role = "strong" if is_here else "changed" if row.kind == "point" else ""
    line = line.add(row.name, role).fit(2 + room - bar).add(" ")
    line = line.extend(_numbers(row, history, is_here=is_here).fit(NUMBERS))
    if bar:
        here = history.here.retired if is_here else None
        line.add(" ").extend(_bar(row, here, whole, bar - 1))
    line = line.fit(width)
    if chosen:
        line = signed(line, CURSOR)
        line.role = "cursor"
    return line


def _numbers(row: TreeRow, history: History, *, is_here: bool) -> Line:
    """Return where it begins and ends, and on the present branch where we are."""
    if row.kind == "point":
        return Line(f"at {count(row.end.retired)}", "dim")
    line = Line(f"to {count(row.end.retired)}")
    if is_here:
        at = "its end" if history.at_end else count(history.here.retired)
        return line.add(f", here {at}", "label")
    if row.begin is not None:
        line.add(f" from {count(row.begin.retired)}", "dim")
    return line


def _bar(row: TreeRow, here: int | None, whole: int, width: int) -> Line:
    """Return a row of cells from the beginning to where the longest branch ends."""

    def cell(retired: int) -> int:
        return min(retired * (width - 1) // whole, width - 1)

    end = cell(row.end.retired)
    if row.kind == "point":
        return Line(" " * end).add("◆", "changed")
    begin = cell(row.begin.retired) if row.begin is not None else 0
    cells = [" "] * begin + ["─"] * (end - begin + 1)
    cells[begin], cells[end] = "├", "┤"
    if here is None:
        return Line("".join(cells), "rule")
    at = cell(here)
    line = Line("".join(cells[:at]), "rule").add("┃", "title")
    return line.add("".join(cells[at + 1 :]), "rule")
