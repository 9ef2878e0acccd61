"""No row runs past the edge of its pane without a sign, and a way to see the rest.

The rule is held over every pane of every layout, at three sizes, on guests that come
up, nest, wait for an answer and stand in their past; no pane is named here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from rigs.screens import GUESTS, Driver, bringup, drive

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui import layouts
from lapis_tui.blocks.lines import ELLIPSIS, Line
from lapis_tui.panes.base import STEP, WIDEST, LinePane
from lapis_tui.panes.command import CommandLine
from lapis_tui.splits import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.session import Session

SIZES = [(80, 25), (120, 40), (200, 60)]
GUEST_LINES = {
    "waits for an answer": ("ap-bringup", 4, ("run",)),
    "nests": (
        "fabric-nesting.bin", 1,
        ("catch deliver", "run", "run", "run", "irq why 0x31", "irq why 0x5f"),
    ),
    "in its past": (
        "ap-bringup", 2,
        ("run", "answer 0x1234", "run", "checkpoint 'a point with a long name'",
         "goto act 1", "fork 'a branch whose name has no end, or so it seems'",
         "answer 0x55", "run", "goto 20000"),
    ),
}  # fmt: skip
"""What is done to which guest, with how many vCPUs."""


def _session(case: str) -> Session:
    guest, cpus, lines = GUEST_LINES[case]
    name = str(GUESTS / guest) if guest.endswith(".bin") else guest
    session = open_session(SessionOptions(name, cpus=cpus), discover().extensions)
    for line in lines:
        outcome = session.execute(line)
        assert outcome.ok, outcome.error
    return session


def _shown(pane: LinePane) -> list[str]:
    return [pane.render_line(y).text for y in range(pane.size.height)]


def _lines(pane: LinePane) -> Iterator[Line]:
    """Yield the lines in view, as they would be without an edge."""
    top = round(pane.scroll_y)
    for y in range(pane.size.height):
        yield pane.line_at(top + y) or Line()


def _check_signs(pane: LinePane) -> None:
    for row, line in zip(_shown(pane), _lines(pane), strict=True):
        if len(line.plain.rstrip()) > pane.aside + len(row):
            assert row.endswith(ELLIPSIS), (pane.id, row)


def _is_cut(pane: LinePane) -> bool:
    """Tell whether a sign is anywhere but at the left edge."""
    return any(ELLIPSIS in row[1:] for row in _shown(pane))


async def _panes(it: Driver) -> Iterator[LinePane]:
    """Go to every pane of the layout and return them."""
    screen = it.app.main
    tree = screen.layout_.fitting(*screen.size).tree
    plugged = [f"{pane.id}" for pane in screen._plugged.values()]
    found = []
    for name in names(layouts.with_plugged(tree, plugged)):
        screen.focus_pane(name)
        await it.press()
        found += [p for p in screen.query(f"#{name}") if isinstance(p, LinePane)]
    return iter(found)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("case", GUEST_LINES)
def test_what_is_cut_has_a_sign_and_room_a_key_away(
    case: str, size: tuple[int, int]
) -> None:
    seen: set[str] = set()

    async def play(it: Driver) -> None:
        for layout in layouts.LAYOUTS:
            it.app.main.show_layout(layout)
            for pane in await _panes(it):
                it.app.main.focus_pane(f"{pane.id}")
                await it.press()
                seen.add(f"{pane.id}")
                _check_signs(pane)
                for _ in range(WIDEST // STEP):
                    if not _is_cut(pane):
                        break
                    pane.action_sideways(1)
                    _check_signs(pane)
                assert not _is_cut(pane), (layout.name, pane.id, _shown(pane))
                while pane.aside:
                    pane.action_sideways(-1)
                pane.action_sideways(-1)

    drive(_session(case), play, size)
    assert {"vcpus", "apics", "events", "boot", "priority", "time"} <= seen


def test_the_last_answer_has_a_sign_where_it_is_cut_and_is_read_in_full() -> None:
    async def play(it: Driver) -> None:
        await it.press("a", *"0x1234", "enter", "c")
        whole = it.app.main.query_one(CommandLine).said
        assert len(whole) > 80
        assert it.rows[-2].endswith(ELLIPSIS)
        assert it.rows[-2].strip(f" !{ELLIPSIS}") in whole
        await it.press("M")
        shown = " ".join(row.strip() for row in it.rows)
        assert " ".join(whole.split()) in shown
        await it.press("escape")
        assert it.app.screen is it.app.main

    drive(_session("waits for an answer"), play, (80, 25))


def test_every_cell_of_a_long_row_comes_into_view() -> None:
    words = " ".join(f"w{n}" for n in range(60))

    async def play(it: Driver) -> None:
        pane = it.app.main.query_one("#vcpus", LinePane)
        pane.draw(lambda size: [Line(words).fit(max(size[0], 1)), Line("short")])
        row = _shown(pane)[0]
        assert row.rstrip().endswith(ELLIPSIS)
        assert "w59" not in row
        seen = row
        for _ in range(10):
            await it.pilot.press("L")
            row = _shown(pane)[0]
            assert row.startswith(ELLIPSIS)
            seen += row
        assert {f"w{n}" for n in range(60)} <= {*seen.replace(ELLIPSIS, " ").split()}
        assert "short" not in _shown(pane)[1]
        for _ in range(11):
            await it.pilot.press("H")
        assert _shown(pane)[0] == Line(words).fit(pane.extent[0]).plain + " "

    drive(_session("waits for an answer"), play, (80, 25))


@pytest.mark.parametrize("size", [(30, 16), (40, 12), *SIZES], ids=str)
def test_a_question_is_asked_in_full(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("q")
        text = " ".join(row.strip("│╭╮╰╯─ ▃▁▂") for row in it.rows)
        words = " ".join(text.split())
        assert "What was done here is in no recording: 1 act." in words
        assert "keeps it, from the beginning on." in words
        assert "y quit" in words
        assert "n stay" in words

    drive(_session("waits for an answer"), play, size)


@pytest.mark.parametrize(("key", "sign"), [("3", "more vCPUs"), ("7", "more rows")])
def test_vcpus_without_room_are_counted(key: str, sign: str) -> None:
    async def play(it: Driver) -> None:
        await it.press(key)
        assert re.search(rf"… \d+ {sign}", it.text)
        await it.press("p")
        await it.until(lambda: re.search(r"(vCPU 31|v31>)", it.text) is not None)

    drive(bringup(32), play, (80, 25))
