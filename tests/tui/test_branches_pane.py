"""The branches pane: the tree as the timeline has it, and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive, look

from lapis_engine.replay.capture import Position
from lapis_sessions.views.history import History, HistoryBranch, HistoryPoint
from lapis_tui.blocks import branch_tree
from lapis_tui.blocks.lines import plain
from lapis_tui.panes.branches import BranchesPane
from lapis_tui.screens.sheet import SheetScreen

if TYPE_CHECKING:
    from lapis_sessions.session import Session

SIZES = [(80, 25), (120, 40), (200, 60)]


def forked() -> Session:
    """Return a session with branches of branches and two points, on branch-1."""
    session = bringup()
    for line in (
        "run", "goto 15000", "checkpoint mid", "nmi 0", "run 1000", "goto 15100",
        "nmi 1", "run 50", "branch main", "goto 20000", "fork mine", "run 500",
        "checkpoint last", "branch branch-1",
    ):  # fmt: skip
        outcome = session.execute(line)
        assert outcome.ok, (line, outcome.text)
    return session


def test_each_branch_hangs_on_the_one_that_it_left() -> None:
    history = look(forked()).now.history
    rows = branch_tree.tree(history)
    assert [f"{row.lead}{row.name}" for row in rows] == [
        "main", "├ ◆ mid", "├ branch-1", "│ └ branch-2", "└ mine", "  └ ◆ last",
    ]  # fmt: skip
    text = plain(branch_tree.render(rows, history, 2, (100, 6))).splitlines()
    assert text[1].startswith("  ├ ◆ mid")
    assert "at 15,000" in text[1]
    assert text[2].startswith("▸>├ branch-1")
    assert "to 15,316, here its end" in text[2]
    assert "from 15,100" in text[3]
    assert "to 20,500 from 20,000" in text[4]


@pytest.mark.parametrize("size", SIZES)
def test_keys_choose_one_go_there_and_tell_what_differs(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("branches")
        assert "branches, 4" in it.text
        assert any("branch-1" in row and ">" in row for row in it.rows)
        await it.press("D")
        assert isinstance(it.app.screen, SheetScreen)
        assert "they are the same point" in it.text
        await it.press("escape", "up", "up", "D")
        assert "they part at instruction 15,000" in it.text
        assert "event 9 is the first that differs" in it.text
        assert it.view.now.branch == "branch-1"
        await it.press("escape", "enter")
        assert it.view.now.branch == "main"
        await it.press("down", "enter")
        assert it.view.now.history.here.retired == 15_000
        await it.press("F")
        assert it.view.now.branch == "branch-3"
        assert all(len(row) <= size[0] for row in it.rows)

    drive(forked(), play, size)


def test_a_click_chooses_and_two_go_there() -> None:
    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("branches")
        top = it.app.main.query_one(BranchesPane).region.y
        row = next(y for y, row in enumerate(it.rows) if "└ mine" in row) - top
        await it.pilot.click(BranchesPane, offset=(3, row))
        await it.press()
        assert it.view.now.branch == "branch-1"
        await it.pilot.click(BranchesPane, offset=(3, row), times=2)
        await it.press()
        assert it.view.now.branch == "mine"

    drive(forked(), play, (120, 40))


def test_names_that_need_quotes_are_gone_to() -> None:
    session = bringup()
    session.execute("run 100")
    session.timeline.fork("a b'c; \x1b[31m[red]")
    session.execute("branch main")

    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("branches")
        assert "\x1b" not in it.text
        await it.press("down", "enter")
        assert it.view.now.branch == "a b'c; \x1b[31m[red]"

    drive(session, play)


def histories(branches: list[tuple[int, int, int]], points: list[int]) -> History:
    """Return a history of so many branches, each (parent, fork, length)."""
    history = look(bringup(1)).now.history
    made = [HistoryBranch("main", "", None, Position(1000, 10, 1000))]
    for number, (parent, fork, length) in enumerate(branches, 1):
        whence = made[parent % number]
        at = Position(min(fork, whence.end.retired), 1, fork)
        end = Position(at.retired + length, 2, fork + length)
        made.append(HistoryBranch(f"b{number}", whence.name, at, end))
    named = [
        HistoryPoint(f"p{n}", made[at % len(made)].name, Position(at, 1, at))
        for n, at in enumerate(points)
    ]
    return history._replace(
        branch=made[-1].name, branches=tuple(made), named=tuple(named)
    )


@given(
    branches=st.lists(
        st.tuples(st.integers(0, 63), st.integers(0, 2000), st.integers(0, 2000)),
        max_size=40,
    ),
    points=st.lists(st.integers(0, 2000), max_size=20),
    width=st.integers(20, 220),
    height=st.integers(1, 60),
    chosen=st.integers(0, 100),
)
def test_every_branch_and_point_has_one_row_below_its_own(
    branches: list[tuple[int, int, int]],
    points: list[int],
    width: int,
    height: int,
    chosen: int,
) -> None:
    history = histories(branches, points)
    rows = branch_tree.tree(history)
    names = [row.name for row in rows]
    assert sorted(names) == sorted(
        [b.name for b in history.branches] + [p.name for p in history.named]
    )
    for branch in history.branches[1:]:
        assert names.index(branch.parent) < names.index(branch.name)
    chosen %= len(rows)
    drawn = branch_tree.render(rows, history, chosen, (width, height))
    assert len(drawn) == min(height, len(rows))
    assert all(line.width == width for line in drawn)
    assert sum(line.role == "cursor" for line in drawn) == 1


def test_a_branch_whose_parent_is_not_shown_stands_by_itself() -> None:
    history = histories([(0, 5, 5)], [])
    orphan = replace_parent(history, "gone")
    assert [row.lead for row in branch_tree.tree(orphan)] == ["", ""]


def replace_parent(history: History, name: str) -> History:
    """Return the history with another parent of its last branch."""
    last = history.branches[-1]._replace(parent=name)
    return history._replace(branches=(*history.branches[:-1], last))


def test_a_chain_of_many_forks_is_no_matter_of_depth() -> None:
    history = histories([(n, 1, 5) for n in range(500)], [])
    rows = branch_tree.tree(history)
    assert len(rows) == 501
    assert max(len(row.lead) for row in rows) <= 2 * branch_tree.DEEPEST + 2
