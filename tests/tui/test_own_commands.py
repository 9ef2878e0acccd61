"""What only the screen knows is typed, completed and listed as a command is."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_sessions import completion
from lapis_tui import own
from lapis_tui.app import LapisApp
from lapis_tui.blocks.lines import plain
from lapis_tui.kept import Kept
from lapis_tui.panes.base import LinePane
from lapis_tui.screens.help import HelpScreen
from lapis_tui.theme import THEMES

if TYPE_CHECKING:
    from pathlib import Path

SVG = "http://www.w3.org/2000/svg"


def test_no_session_knows_any_of_them() -> None:
    names = {name.split()[0] for name in own.OWN.names}
    assert not names & {n.split()[0] for n in bringup().registry.names}


def test_they_are_completed_and_listed_beside_those_of_the_session() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type("the")
        await it.press("tab")
        await it.press("tab")
        assert all(name in it.rows[-1] for name in THEMES)
        await it.type("l")
        await it.press("tab", "enter")
        assert "theme light" in it.rows[-2]
        assert it.app.theme == "light"
        await it.press("f1")
        assert isinstance(it.app.screen, HelpScreen)
        listed = plain(it.app.screen.query_one("#help-text", LinePane).lines)
        assert "theme [dark|light|high-contrast|terminal]" in listed

    drive(bringup(), play)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("theme", "theme dark; there are light, high-contrast, terminal as well"),
        (
            "theme neon",
            "theme: name 'neon' is not one of dark, light, high-contrast, terminal",
        ),
        ("theme dark light", "theme: 'light' is too much; usage: theme [dark|light|"),
        ("quit now", "quit: 'now' is too much; usage: quit"),
    ],
)
def test_a_wrong_one_is_answered_with_its_rule(line: str, said: str) -> None:
    async def play(it: Driver) -> None:
        await it.command(line)
        assert said in it.text
        assert it.app.theme == "dark"
        assert not it.app._exit

    drive(bringup(), play)


def test_a_theme_is_kept_from_one_day_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"

    async def day(line: str, expected: str) -> None:
        app = LapisApp(bringup(), kept=Kept(path))
        async with app.run_test(size=(80, 25)) as pilot:
            it = Driver(app, pilot, asyncio.Event())
            await it.until(lambda: app.view is not None)
            assert app.theme == expected
            if line:
                await it.command(line)

    asyncio.run(day("theme high-contrast", "dark"))
    asyncio.run(day("", "high-contrast"))
    path.write_text('{"version":1,"theme":"of yesterday"}')
    asyncio.run(day("", "dark"))


def test_their_words_are_completed_without_a_session() -> None:
    assert completion.within(own.OWN, "theme h") == ["theme high-contrast"]
    assert completion.within(own.OWN, "q") == ["q", "q!", "quit", "quit!"]


def test_a_screenshot_is_the_screen_and_no_field(tmp_path: Path) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        before = it.rows
        await it.command(f"screenshot {tmp_path / 's.txt'}")
        assert f"lapis, 120x40: {tmp_path / 's.txt'}" in it.text
        shot = (tmp_path / "s.txt").read_text("utf-8").splitlines()
        assert shot[:-2] == before[:-2]
        assert not any("screenshot" in row for row in shot)
        await it.command(f"screenshot {tmp_path / 's.svg'}")
        root = ET.fromstring((tmp_path / "s.svg").read_text("utf-8"))
        rows: dict[int, str] = defaultdict(str)
        for each in root.iter(f"{{{SVG}}}text"):
            rows[int(each.get("y", "0"))] += f"{each.text}".replace(" ", "")
        drawn = [rows[y] for y in sorted(rows)]
        assert drawn[:24] == [row.replace(" ", "") for row in before[:24]]

    drive(bringup(), play)


def test_a_pane_is_exported_at_its_size(tmp_path: Path) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.go("events")
        await it.command(f"export svg {tmp_path / 'e.txt'}")
        rows = (tmp_path / "e.txt").read_text("utf-8").splitlines()
        box = it.app.main.places.boxes["events"]
        assert len(rows) == box.height
        assert "events" in rows[0]
        assert "exit MMIO" in rows[-1]
        await it.press("z")
        await it.command(f"export svg {tmp_path / 'e.txt'} --force")
        rows = (tmp_path / "e.txt").read_text("utf-8").splitlines()
        assert len(rows) == 36
        assert "real -> protected" in rows[1]

    drive(bringup(), play)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("screenshot", "screenshot needs FILE"),
        ("screenshot s.png", "'s.png' ends neither in .svg nor in .txt"),
        ("screenshot no/where/s.svg", "No such file or directory"),
        ("screenshot there.txt", "is there already; --force replaces it"),
        ("screenshot .", "ends neither"),
        ("export svg e.svg memory", "memory is not in view; 6 shows it"),
        ("export svg e.svg nosuch", "pane 'nosuch' is not one of"),
        ("screnshot s.svg", "did you mean screenshot?"),
        ("layuot memory", "did you mean layout?"),
        ("stpe", "did you mean step?"),
        ("export png e.png", "there is no command 'export'"),
    ],
)
def test_a_picture_that_cannot_be_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").write_text("mine")

    async def play(it: Driver) -> None:
        await it.command(line)
        assert said in it.text
        assert f":{line}" in it.text  # it is still there, to be made right

    drive(bringup(), play, (160, 40))
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]
    assert (tmp_path / "there.txt").read_text() == "mine"
