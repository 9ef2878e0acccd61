"""The seek bar and the time pane: their cells, clicks and drags on any screen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive, look

from lapis_engine.events import Logged, VectorDelivered
from lapis_engine.replay.capture import Position
from lapis_sessions.timeline.branches import Note
from lapis_sessions.views.history import HistoryBranch, HistoryPoint
from lapis_tui.blocks import bar
from lapis_tui.blocks.lines import plain
from lapis_tui.blocks.marks import MARKS
from lapis_tui.panes import seek
from lapis_tui.panes import time as time_pane
from lapis_tui.panes.seek import SeekPane
from lapis_tui.panes.time import HEAD, TAIL, TimePane
from lapis_tui.past import Past
from lapis_tui.screens import help  # noqa: A004 - the module of the screen

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.view import View

SIZES = [(80, 25), (120, 40), (200, 60)]
MANY = 100_000


@given(
    first=st.integers(0, 10**9), span=st.integers(1, 10**12), width=st.integers(2, 250)
)
def test_what_a_cell_names_lies_in_that_cell(first: int, span: int, width: int) -> None:
    on = bar.Axis(bar.Chain((), ()), True, first, first + span, width)
    assert on.goto(0) == on.goto(-3) == "start"
    assert on.goto(width - 1) == on.goto(width + 9) == "end"
    cells = [on.cell(int(on.goto(cell)[1:])) for cell in range(1, width - 1)]
    if span >= width:
        assert cells == [*range(1, width - 1)]
    else:
        assert cells == sorted(cells), "fewer events than cells: the next one is taken"
        assert all(on.cell(first + n) >= n for n in range(span))


def flooded() -> View:
    """Return a view of 32 vCPUs in the midst of very many events."""
    view = look(bringup(32))
    events = [Logged(n, n, VectorDelivered(n % 32, 0x31, 0)) for n in range(MANY)]
    here, end = Position(MANY // 2, MANY // 2, MANY // 2), Position(MANY, MANY, MANY)
    history = view.now.history._replace(
        here=here, end=end, at_end=False,
        notes=(Note(0, MANY // 4, "a quarter"),),
        named=(HistoryPoint("three", "main", Position(75_000, 75_000, 75_000)),),
        branches=(
            *view.now.history.branches,
            *(HistoryBranch(f"b{n}", "main", Position(n, n, n), end)
              for n in range(10, MANY, MANY // 40)),
        ),
    )  # fmt: skip
    now = replace(view.now, history=history, events_total=MANY // 2)
    past = Past(events[: MANY // 2])
    return replace(view, now=now, events=past, ahead=tuple(events[MANY // 2 :]))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_bar_shows_events_notes_points_forks_and_here(width: int) -> None:
    view = flooded()
    line = seek.render(view, width)
    assert line.width == width
    text = line.plain
    assert [text.count(sign) for sign in "✎◆┃"] == [1, 1, 1]
    assert 10 < text.count("┬") <= 40
    assert text.count(MARKS["deliver"][0]) > 10
    cells = text.partition("├")[2].partition("┤")[0]
    room = len(cells) - 1
    for sign, share in (("✎", 25), ("┃", 50), ("◆", 75)):
        assert abs(cells.index(sign) - room * share // 100) <= 1, sign


@pytest.mark.parametrize("size", [(79, 5), (79, 9), (119, 12), (199, 20), (199, 50)])
def test_many_branches_leave_room_for_the_lanes(size: tuple[int, int]) -> None:
    rows = time_pane.render(flooded(), size)
    assert len(rows) <= size[1]
    assert all(row.width == size[0] for row in rows)
    text = plain(rows)
    assert "v0>" in text
    assert " where " in text
    assert "✎1" in text


def risen(cpus: int) -> Session:
    """Return a session of so many vCPUs that have come up."""
    session = bringup(cpus)
    assert session.execute("run").ok
    return session


def stands_after(view: View, seq: int) -> bool:
    """Tell whether the machine stands where event `seq` has just happened.

    What one instruction brings comes at once: the event need not be the last.
    """
    if seq >= view.now.events_total:
        return False
    late = [each for each in view.events if each.seq >= seq]
    return late[-1].at - late[0].at <= 1


@pytest.mark.parametrize("size", SIZES)
def test_clicks_and_drags_go_where_the_mouse_is(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("7")
        row = it.app.query_one(SeekPane)
        left, right = it.rows[1].index("├") + 1, it.rows[1].rindex("┤") - 1

        def goes_to(axis: bar.Axis, cell: int) -> int:
            return int(axis.goto(cell).removeprefix("#"))

        for share in (20, 50, 80):
            x = left + (right - left) * share // 100
            seq = goes_to(seek.axis(it.view, size[0]), x - left)
            await it.pilot.click(SeekPane, offset=(x, 0))
            await it.press()
            assert stands_after(it.view, seq), share
            assert it.rows[1].index("┃") >= x - 1
        begin, end = left + 2, (left + right) // 2
        seq = goes_to(seek.axis(it.view, size[0]), end - left)
        await it.pilot.mouse_down(SeekPane, offset=(begin, 0))
        await it.pilot.hover(SeekPane, offset=(end, 0))
        assert f"goto #{seq}" in it.text
        assert not stands_after(it.view, seq), "only the end of a drag goes there"
        await it.pilot.mouse_up(SeekPane, offset=(end, 0))
        await it.press()
        assert stands_after(it.view, seq)
        await it.pilot.click(SeekPane, offset=(row.size.width - 1, 0))
        await it.press()
        assert it.view.now.history.at_end

        lanes = it.app.query_one(TimePane)
        cells = lanes.extent[0] - HEAD - TAIL - 2
        for share in (25, 60):
            cell = cells * share // 100
            seq = goes_to(bar.axis(it.view, cells), cell)
            await it.pilot.click(TimePane, offset=(HEAD + 1 + cell, 3))
            await it.press()
            assert stands_after(it.view, seq), share
        total = it.view.now.events_total
        await it.pilot.click(TimePane, offset=(2, 1))
        await it.press()
        assert it.view.now.events_total == total, "a name is no place"

    drive(risen(32), play, size)


def test_f1_tells_what_stands_on_the_bar() -> None:
    text = plain(help.render([], None, (80, 25)))
    assert "Marks of the seek bar" in text
    kinds = [f"{MARKS[kind][0]} {kind}" for kind in ("ipi", "sipi", "eoi", "exit")]
    for words in ("┃", "✎", "◆", "┬", *kinds):
        assert words in text, words
