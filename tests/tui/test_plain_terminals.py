"""Terminals that can do less: ASCII, few colours, none, and no cursor to move."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, bringup, drive
from rigs.terminals import ProgramInTerminal

from lapis_tui.layouts import LAYOUTS
from lapis_tui.worn import Worn

if TYPE_CHECKING:
    from pathlib import Path

IN_ASCII = {"LC_ALL": "", "LC_CTYPE": "", "LANG": "C"}
SIZES = [(80, 25), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES[:2])
def test_where_the_locale_is_c_every_layout_is_in_ascii(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    with ProgramInTerminal(size=size, state=tmp_path, environ=IN_ASCII) as it:
        it.until("stopped")
        it.keys("c")
        it.until("pending 1")
        for layout in LAYOUTS:
            if layout.first not in {"plugged", "terminal"}:
                it.keys(layout.key)
                it.until(f"{layout.key} {layout.name}")
        it.keys("8")
        it.until("8 terminal")
        it.keys("\x1d")
        it.until("1 step")
        it.keys(":q!\r")
        assert it.ended() == 0
        assert max(it.raw) < 0x80, bytes(it.raw[it.raw.index(max(it.raw)) - 40 :][:60])


@pytest.mark.parametrize("size", SIZES)
def test_every_pane_and_dialog_is_in_ascii(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        def check(where: str) -> None:
            for row in it.rows:
                assert row.isascii(), (where, row)

        await it.press("c")
        for layout in LAYOUTS:
            it.app.main.show_layout(layout)
            await it.press()
            check(layout.name)
            for pane in list(it.app.main.places.boxes):
                it.app.main.zoom(pane)
                await it.press()
                check(f"{pane}, enlarged")
            it.app.main.zoom()
        it.app.main.show_layout(LAYOUTS[0])
        await it.press("i")
        check("inject")
        await it.press("escape", "f1")
        check("help")
        await it.press("escape", "q")
        check("quit?")
        await it.press("n", "ctrl+p")
        await it.until(lambda: "Search" in it.text)
        check("palette")

    drive(bringup(), play, size, worn=Worn(is_ascii=True))


def _run(tmp_path: Path, **environ: str) -> bytes:
    with ProgramInTerminal(size=(80, 25), state=tmp_path, environ=environ) as it:
        it.until("stopped")
        it.keys("c")
        it.until("pending 1")
        it.keys(":q!\r")
        assert it.ended() == 0
        return bytes(it.raw)


def test_a_terminal_of_few_colours_gets_no_more(tmp_path: Path) -> None:
    raw = _run(tmp_path, TERM="xterm", COLORTERM="")
    assert b"38;2;" not in raw
    assert b"38;5;" not in raw
    assert b"\x1b[1;36;49m" in raw  # of the theme with the terminal's own colours
    raw = _run(tmp_path, TERM="xterm-256color", COLORTERM="")
    assert b"38;2;" not in raw
    assert b"38;5;" in raw


def test_no_color_means_none(tmp_path: Path) -> None:
    raw = _run(tmp_path, NO_COLOR="1")
    colours = re.findall(rb"\x1b\[([\d;]*)m", raw)
    codes = {int(code) for each in colours for code in each.split(b";") if code}
    assert codes <= {0, 1, 2, 4, 7, 22, 24, 27, 39, 49}


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_terminal_without_a_cursor_is_told_what_to_do(
    tmp_path: Path, name: str
) -> None:
    with ProgramInTerminal(size=(80, 25), state=tmp_path, environ={"TERM": name}) as it:
        assert it.ended() == 2
        said = b"".join(it.raw.split())
    assert b"\x1b" not in it.raw
    sentence = (
        f"lapis: the debugger needs a terminal whose cursor it can move, and TERM is "
        f"{name!r}; without one use: lapis exec"
    )
    assert said == "".join(sentence.split()).encode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "koi8-r"])
def test_what_a_stream_cannot_show_does_not_raise(encoding: str) -> None:
    command = ["exec", "ap-bringup", "-c", "help", "-c", "print │☺"]
    found = subprocess.run(
        [sys.executable, "-m", "lapis_tui", *command],
        env={"PYTHONIOENCODING": encoding, "PATH": "", "LANG": "C"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in found.stderr
    assert b"Encode" not in found.stderr
    assert b"print" in found.stderr
    assert b"step" in found.stdout
