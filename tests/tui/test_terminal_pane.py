"""The terminal on COM1 and the screen of a pc: what they show, and where keys go."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, drive
from textual.events import Key

from lapis_engine.devices.vga.screen import Screen
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.blocks.serial import COLUMNS, HISTORY, ROWS, Serial
from lapis_tui.panes import terminal, vga

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


def rows(data: bytes) -> list[str]:
    serial = Serial()
    serial.feed(data)
    return serial.rows


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", [""]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"one\ntwo", ["one", "   two"]),
        (b"abc\rX", ["Xbc"]),
        (b"abc\b\bX", ["aXc"]),
        (b"a\tb", ["a       b"]),
        (b"abc\x1b[1Gx\x1b[2Cy", ["xbcy"]),
        (b"a\x1b[3;5Hb", ["a", "", "    b"]),
        (b"abc\x1b[2D\x1b[K", ["a"]),
        (b"abcd\x1b[2D\x1b[1K", ["   d"]),
        (b"abc\x1b[2K", [""]),
        (b"a\r\nb\r\nc\x1b[2;1H\x1b[J", ["a", ""]),
        (b"a\r\nb\r\nc\x1b[2;1H\x1b[1J", ["", "", "c"]),
        (b"a\r\nb\x1b[2J\x1b[H", [""]),
        (b"\x1b[31mred\x1b[0m", ["red"]),
        (b"a\x1b[5Ab\x1b[2Bc\x1b[Ed\x1b[Fe\x1b[4df", ["ab", "", "e c", "df"]),
        (b"\x1b[999;999Hx", [""] * (ROWS - 1) + [" " * (COLUMNS - 1) + "x"]),
        (b"x" * (COLUMNS + 1), ["x" * COLUMNS, "x"]),
        (b"\x1b]0;title\x07ok\x1b[6n", ["ok"]),
    ],
)
def test_what_a_guest_prints_is_laid_out(data: bytes, wanted: list[str]) -> None:
    assert rows(data) == wanted


def test_what_scrolls_away_is_kept_for_a_while() -> None:
    lines = [f"line {number}" for number in range(HISTORY + 100)]
    found = rows("\r\n".join(lines).encode())
    assert found == lines[-(HISTORY + ROWS) :]


class Grid:
    """The same by the book: a field of characters and a cursor (ECMA-48 8.3)."""

    def __init__(self) -> None:
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.x = self.y = 0

    def down(self) -> None:
        if self.y == ROWS - 1:
            self.cells = [*self.cells[1:], [" "] * COLUMNS]
        else:
            self.y += 1

    def put(self, char: str) -> None:
        if self.x == COLUMNS:
            self.x = 0
            self.down()
        self.cells[self.y][self.x] = char
        self.x += 1

    def at(self, y: int, x: int) -> None:
        self.y = sorted((0, y, ROWS - 1))[1]
        self.x = sorted((0, x, COLUMNS - 1))[1]

    def erase(self, first: int, last: int) -> None:
        for cell in range(first, last):
            self.cells[cell // COLUMNS][cell % COLUMNS] = " "


def text(draw: random.Random, grid: Grid) -> bytes:
    """Print some letters, or move as a control character does."""
    match draw.choice("tttnrb"):
        case "n":
            grid.down()
            return b"\n"
        case "r":
            grid.x = 0
            return b"\r"
        case "b":
            grid.x = max(grid.x - 1, 0)
            return b"\b"
        case _:
            pass
    found = "".join(draw.choices("abc xyz", k=draw.choice((1, 2, 30, 90))))
    for char in found:
        grid.put(char)
    return found.encode()


def move(draw: random.Random, grid: Grid) -> bytes:
    """Move the cursor; a parameter of 0 is 1."""
    n, final = draw.choice((0, 1, 2, 7, 30, 90)), draw.choice("ABCDGd")
    many, x, y = max(n, 1), grid.x, grid.y
    grid.at(*{
        "A": (y - many, x), "B": (y + many, x), "C": (y, x + many),
        "D": (y, x - many), "G": (y, many - 1), "d": (many - 1, x),
    }[final])  # fmt: skip
    return b"\x1b[%d%s" % (n, final.encode())


def erase(draw: random.Random, grid: Grid) -> bytes:
    """Erase of line or screen what is behind the cursor, before it, or all."""
    which, is_line = draw.randrange(3), draw.random() < 0.5
    line = grid.y * COLUMNS
    begin, end = (line, line + COLUMNS) if is_line else (0, ROWS * COLUMNS)
    first = line + grid.x if which == 0 else begin
    last = line + min(grid.x, COLUMNS - 1) + 1 if which == 1 else end
    grid.erase(first, last)
    return b"\x1b[%d%s" % (which, b"K" if is_line else b"J")


def step(draw: random.Random, grid: Grid) -> bytes:
    """Do something to the grid; return what a guest prints for it."""
    return draw.choice((text, text, move, erase))(draw, grid)


@given(st.integers(0, 1 << 32))
def test_it_comes_to_what_a_field_of_characters_comes_to(seed: int) -> None:
    draw, grid, serial = random.Random(seed), Grid(), Serial()
    for _ in range(60):
        serial.feed(step(draw, grid))
    shown = [row.ljust(COLUMNS) for row in serial.rows[len(serial.history) :]]
    wanted = ["".join(row) for row in grid.cells]
    assert shown == wanted[: len(shown)]
    assert not "".join(wanted[len(shown) :]).strip()
    assert (serial.row, serial.column) == (grid.y, grid.x)


def test_nothing_hostile_upsets_it() -> None:
    draw = random.Random(13)
    serial = Serial()
    letters = [
        b"\x1b",
        b"[",
        b";",
        b"999999999",
        b"H",
        b"J",
        b"K",
        b"\n",
        b"\x00",
        b"?",
    ]
    for _ in range(20_000):
        serial.feed(draw.choice([*letters, draw.randbytes(3)]))
    assert all(row.isprintable() or not row for row in serial.rows)
    assert len(serial.rows) <= HISTORY + ROWS


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("a", "a", b"a"), ("enter", "\r", b"\r"), ("backspace", "\x7f", b"\x7f"),
        ("ctrl+c", "\x03", b"\x03"), ("up", None, b"\x1b[A"), ("f12", None, b""),
        ("ä", "ä", "ä".encode()),
    ],
)  # fmt: skip
def test_what_keys_send(key: str, character: str | None, data: bytes) -> None:
    assert terminal.sent(Key(key, character)) == data


def test_a_screen_has_its_cursor_marked() -> None:
    found = vga.render(Screen(("abc", "def"), (1, 2)))
    assert [line.plain for line in found] == ["abc", "def"]
    assert found[1].spans == [("de", ""), ("f", "caret")]
    assert "no screen of text" in vga.render(None)[0].plain


# On the screen.

ECHO = bytes.fromhex("bafd03 ec a801 74fb baf803 ec ee ebf1")


@pytest.fixture
def echo(tmp_path: Path) -> Session:
    path = tmp_path / "echo.bin"
    path.write_bytes(ECHO)
    options = SessionOptions(str(path), cpus=1, memory="1M", machine="pc")
    return open_session(options, discover().extensions)


def focus(it: Driver) -> str | None:
    return None if it.app.focused is None else it.app.focused.id


def test_keys_go_to_the_running_guest_until_the_pane_is_left(echo: Session) -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.key("8")
        await it.until(lambda: focus(it) == "terminal")
        for key in ("q", "s", "ctrl+c"):
            it.key(key)
        await it.until(
            lambda: bytes(echo.machine.consoles.get("com1", b"")) == b"qs\x03"
        )
        await it.until(lambda: "qs" in it.text)
        assert "Ctrl-] leaves" in it.text
        assert it.view.running
        it.key("ctrl+right_square_bracket")
        await it.until(lambda: focus(it) == "vcpus")
        it.key("ctrl+c")
        await it.until(lambda: not it.view.running)

    drive(echo, play)
    verbs = {entry.act.verb for entry in echo.timeline.branch.entries}
    assert verbs == {"run", "receive"}


def test_a_key_goes_on_from_the_terminal_to_what_is_behind_it(echo: Session) -> None:
    async def play(it: Driver) -> None:
        await it.press("8")
        assert focus(it) == "terminal"
        await it.press("ctrl+pagedown")
        assert focus(it) == "vga"
        assert "screen vga" in it.text
        await it.press("ctrl+pageup")
        assert focus(it) == "terminal"

    drive(echo, play, (80, 25))
    assert not echo.timeline.branch.entries


def test_what_is_typed_at_a_halt_waits_and_the_past_is_not_left(echo: Session) -> None:
    async def play(it: Driver) -> None:
        await it.press("8")
        await it.pilot.press("x")
        await it.until(lambda: it.view.now.unsaved == 1)
        it.key("ctrl+right_square_bracket")
        await it.command("run 200000")
        assert echo.machine.consoles["com1"] == b"x"
        await it.command("goto 0")
        await it.press("8")
        await it.pilot.press("y")
        await it.until(lambda: "not typed" in it.text)
        assert list(echo.timeline.branches) == ["main"]

    drive(echo, play)


def test_the_screen_of_a_pc_is_shown(echo: Session) -> None:
    options = SessionOptions(echo.guest, cpus=1, memory="4M", machine="pc")
    session = open_session(options, discover().extensions)
    session.machine.vm.memory.write(0xB8000, b"O\x07K\x07")

    async def play(it: Driver) -> None:
        await it.press("8")
        await it.go("vga")
        assert "OK" in it.text

    drive(session, play)
