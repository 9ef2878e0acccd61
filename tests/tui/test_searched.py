"""Help and sheets are searched: / asks, n and N go round, and it is said how many."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive
from textual.widgets import Input

from lapis_tui.blocks.lines import Line, plain
from lapis_tui.panes.base import LinePane
from lapis_tui.screens.searched import SearchedScreen, found, marked
from lapis_tui.screens.sheet import SheetScreen


def screen(it: Driver) -> SearchedScreen:
    found_ = it.app.screen
    assert isinstance(found_, SearchedScreen)
    return found_


def cursors(it: Driver) -> list[str]:
    """The rows that the search stands on."""
    lines = screen(it).query(LinePane).first().lines
    return [line.plain.strip(" ▸") for line in lines if line.role == "cursor"]


def foot(it: Driver) -> str:
    return plain(screen(it).query(LinePane).last().lines).strip()


def test_hits_are_marked_and_one_of_them_is_the_cursor() -> None:
    lines = [Line("abc"), Line("x").add("yB", "bad").add("z"), Line("bY")]
    assert found(lines, "b") == [0, 1, 2]
    assert found(lines, "YBZ") == [1]  # over spans, whatever the case
    assert found(lines, "") == []
    out = marked(lines, [1, 2], 1, 6)
    assert [line.role for line in out] == ["", "here", "cursor"]
    assert [line.plain for line in out] == ["abc", "*xyBz ", "▸bY   "]
    assert lines[2].role == ""


@pytest.mark.parametrize("size", [(80, 25), (120, 40)])
def test_a_sheet_is_searched_round_its_end(size: tuple[int, int]) -> None:
    text = "\n".join(f"row {n} {'seven' if n % 7 == 3 else ''}" for n in range(60))

    async def play(it: Driver) -> None:
        await it.app.push_screen(SheetScreen("rows", text))
        await it.press("n")
        assert foot(it).startswith("nothing is searched for")
        await it.press("/", *"SEVEN", "enter")
        assert cursors(it) == ["row 3 seven"]
        assert foot(it).startswith("'SEVEN': 1 of 9")
        await it.press("N")
        assert cursors(it) == ["row 59 seven"]
        assert foot(it).startswith("'SEVEN': 9 of 9")
        assert "row 59 seven" in it.text
        await it.press("n", "n")
        assert cursors(it) == ["row 10 seven"]
        assert "row 10 seven" in it.text
        await it.press("/", *"eight", "enter")
        assert cursors(it) == []
        assert foot(it).startswith("'eight' is not in this")
        await it.press("/", "enter")
        assert foot(it).startswith("/ search")
        await it.press("/", "q", "escape")
        assert screen(it).focused is screen(it).query(LinePane).first()
        await it.press("q")
        assert it.app.screen is it.app.main

    drive(bringup(), play, size)


def test_help_is_searched_from_where_it_stands() -> None:
    async def play(it: Driver) -> None:
        await it.press("f1", "/", *"page tables", "enter")
        assert " of " in foot(it)
        (row,) = cursors(it)
        assert "page tables" in row
        assert row in it.text
        await it.press("g", "/", *"this help", "enter")
        assert cursors(it) == ["F1 ?         this help"]
        await it.press("f1")
        assert it.app.screen is it.app.main

    drive(bringup(), play, (80, 25))


def test_hostile_text_is_harmless_in_the_text_and_in_what_is_searched_for() -> None:
    text = "[bold red]x[/] $y \x1b[2J\x1b]0;t\x07 [/nothing]\n" * 3

    async def play(it: Driver) -> None:
        await it.app.push_screen(SheetScreen("[b]title[/c]", text))
        await it.press("/")
        field = screen(it).query_one(Input)
        field.value = "[/nothing]"
        await it.press("enter")
        assert foot(it).startswith("'[/nothing]': 1 of 3")
        assert "[bold red]x[/] $y \\x1b[2J" in it.text
        await it.press("/")
        field.value = "\x1b[2J[/b] \u202e"
        await it.press("enter")
        assert foot(it).startswith(r"'\x1b[2J[/b] \u202e' is not in this")
        assert "\x1b" not in it.text

    drive(bringup(), play)
