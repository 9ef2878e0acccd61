"""The results pane: rows as wide as it is, a cursor, a search, the clipboard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive

from lapis_tui.panes.results import LEAST, Result, ResultsPane, render

TEXT = st.text(st.sampled_from("ab cd\n\t\x1b[31m\u202e\u4e2d"), max_size=200)


@given(TEXT, TEXT, st.integers(0, 90))
def test_no_row_is_wider_than_the_pane_and_nothing_is_lost(
    line: str, text: str, width: int
) -> None:
    rows = render(Result(line, text, ok=True), width)
    assert all(row.width <= max(width, LEAST + 3) for row in rows)
    shown = "".join(row.plain for row in rows)
    assert shown.count("a") >= (line + text).count("a")
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_a_long_sentence_goes_on_below_and_is_broken_anew(
    size: tuple[int, int],
) -> None:
    words = [f"word{n:03}" for n in range(60)]

    async def play(it: Driver) -> None:
        it.app.main.open_tab("results")
        await it.go("results")
        it.app.main.report("explain this", " ".join(words), ok=True)
        await it.press()
        pane = it.app.query_one(ResultsPane)
        room = pane.extent[0]
        assert all(row.width <= room for row in pane.lines)
        assert [w for row in pane.lines for w in row.plain.split()][3:] == words
        await it.pilot.resize_terminal(size[0] - 17, size[1])
        await it.press()
        assert pane.extent[0] != room
        assert all(row.width <= pane.extent[0] for row in pane.lines)
        assert [w for row in pane.lines for w in row.plain.split()][3:] == words

    drive(bringup(), play, size)


def test_the_cursor_searches_and_copies_what_a_command_brought() -> None:
    async def play(it: Driver) -> None:
        it.app.main.open_tab("results")
        await it.go("results")
        for n in range(30):
            it.app.main.report(f"print {n}", f"value {n * 7}\nof many", ok=True)
        pane = it.app.query_one(ResultsPane)
        await it.press("slash")
        await it.type("value 70")
        await it.press("enter")
        assert "value 70" in pane.lines[pane._row].plain
        assert "value 70" in it.text
        await it.press("y")
        assert it.app.clipboard == "value 70\nof many"
        await it.press("g")
        assert pane._row == 0
        await it.press("N")
        assert "value 70" in pane.lines[pane._row].plain
        await it.press("slash", "ctrl+u")
        await it.type("nonsense")
        await it.press("enter")
        assert "no row has 'nonsense'" in it.text
        await it.press("G")
        assert pane._row == len(pane.lines) - 1

    drive(bringup(), play, (80, 25))


def test_the_oldest_results_are_forgotten_and_the_cursor_stays_on_a_row() -> None:
    async def play(it: Driver) -> None:
        it.app.main.open_tab("results")
        await it.go("results")
        pane = it.app.query_one(ResultsPane)
        for n in range(30):
            it.app.main.report(f"print {n}", "x\n" * 400, ok=True)
            assert 0 <= pane._row < len(pane._rows) <= 5_000 + 401
        await it.press("g", "y")
        assert it.app.clipboard.count("x") == 400

    drive(bringup(), play, (80, 25))
