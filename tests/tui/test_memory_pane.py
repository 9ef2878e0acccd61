"""The memory pane and the page walk below it: what they show, and writing by keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rigs import recordings
from rigs.screens import Driver, bringup, drive, look
from rigs.session_files import digest

from lapis_engine.why.pages import PageAccess
from lapis_sessions.symbols.book import Places
from lapis_sessions.views import memory_picture, snapshot
from lapis_sessions.views.memory_picture import MemoryPlace, pointed
from lapis_sessions.views.wanted import Wanted
from lapis_tui.blocks import addresses, hexdump
from lapis_tui.blocks.lines import plain
from lapis_tui.blocks.memory_window import Window, render, typed
from lapis_tui.panes import memory, walk

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session
    from lapis_tui.view import View

SIZES = [(80, 25), (120, 40), (200, 60)]
MARKERS = ("\x1b", "\x07", "\r", "\u202e")


def at(
    session: Session, window: Window, rows: int = 8, access: PageAccess | None = None
) -> View:
    """What the panes are given for a window of so many rows of 16 bytes."""
    view = look(session)
    place = MemoryPlace(
        session.selected, window.register, window.first, 16 * rows, window.physical,
        window.cursor - window.first, access=access or PageAccess(),
    )  # fmt: skip
    now = snapshot.take(session, Wanted(memory=place))
    return replace(view, now=now, before=now)


def text(view: View, window: Window, size: tuple[int, int] = (79, 9)) -> list[str]:
    rows = render(view, window, view.before.memory, size)
    assert len(rows) == size[1]
    assert all(row.width <= size[0] for row in rows)
    return plain(rows).split("\n")


# Rows.


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("columns", [46, 79, 119, 160])
def test_bytes_stand_in_rows_beside_their_text(width: int, columns: int) -> None:
    session = bringup()
    session.execute("write-memory 0x500 48 65 6c 6c 6f 00 1b 7f")
    window = Window(first=0x500, cursor=0x501, width=width)
    rows = text(at(session, window), window, (columns, 9))
    cells = {
        1: "48[65]6c 6c 6f 00 1b 7f", 2: "[6548]6c6c  006f  7f1b",
        4: "[6c6c6548]7f1b006f", 8: "[7f1b006f6c6c6548]",
    }  # fmt: skip
    assert cells[width].replace("  ", " ") in rows[0].replace("  ", " ")
    assert "Hello..." in rows[0] or columns < 60
    assert rows[-1].startswith(" 501 = 0x")


def test_what_has_changed_has_a_sign_and_says_what_it_was() -> None:
    session = bringup()
    window = Window(first=0x500, cursor=0x502)
    before = at(session, window)
    session.execute("write-memory 0x502 12")
    view = replace(at(session, window), before=before.now)
    rows = text(view, window)
    assert "00 00[12]00" in rows[0]
    assert "was 0x0" in rows[-1]
    window = replace(window, cursor=0x500)
    assert "[00]00*12 00" in text(view, window)[0]


def test_what_points_somewhere_is_marked() -> None:
    session = bringup()
    session.execute("run 40000")
    gdt = pointed("gdtr", look(session).vcpu.regs)
    assert gdt == 0x1_1000
    window = Window(first=gdt, cursor=gdt + 3)
    rows = text(at(session, window), window, (119, 9))
    assert rows[0].startswith(" 00011000 >00 00 00[00]")
    assert rows[0].endswith("  >gdtr  gdt")
    window = replace(window, cursor=gdt)
    assert ">gdtr" in text(at(session, window), window)[-1]


def test_what_is_no_memory_is_named_and_not_read() -> None:
    session = bringup()
    session.execute("run 40000")
    for first, name in (
        (0xFEE0_0000, "device: local APIC"), (0xFEC0_0000, "device: ioapic"),
        (0xC000_0000, "nobody serves this"), (1 << 40, "not mapped"),
        (1 << 47, "not canonical"),
    ):  # fmt: skip
        window = Window(first=first, cursor=first)
        rows = text(at(session, window), window, (119, 9))
        assert f"[{name}]" in rows[0]
        assert name in rows[-1]
    assert session.machine.log.next_seq == 26


@pytest.mark.parametrize("first", [(1 << 64) - 0x20, (1 << 64) - 1, (1 << 47) - 8])
def test_addresses_go_on_at_zero_behind_the_last(first: int) -> None:
    session = bringup()
    session.execute("run 40000")
    session.execute("write-memory 0 aa bb")
    window = Window(first=first, cursor=first)
    rows = text(at(session, window), window, (119, 9))
    assert rows[0].startswith(f" {first:016x}")
    if first > 1 << 63:
        picture = at(session, window).now.memory
        assert picture is not None
        cells = hexdump.cells(picture)
        assert cells[(1 << 64) - first :][:2] == [0xAA, 0xBB]


def test_memory_full_of_control_characters_shows_none(tmp_path: Path) -> None:
    session = bringup()
    data = bytes(range(256))
    session.execute(f"write-memory 0x500 {data.hex()}")
    window = Window(first=0x500, cursor=0x51B)
    rows = text(at(session, window, 16), window, (79, 17))
    assert all(char.isprintable() for row in rows for char in row)
    del tmp_path


def test_names_with_escapes_are_made_visible() -> None:
    session = bringup()
    window = Window(first=0x500, cursor=0x500)
    view = at(session, window)
    for char in MARKERS:
        names = Places.of({0x504: f"a{char}+0xzz", 0x500: f"{char}+"})
        hostile = replace(view, now=replace(view.now, symbols=names))
        rows = text(hostile, window, (119, 9))
        assert char not in "\n".join(rows)


def test_a_column_is_the_cell_that_stands_there() -> None:
    for digits, width, count in ((8, 1, 16), (16, 1, 8), (8, 2, 16), (16, 8, 16)):
        line = " " * (2 + digits)
        for index in range(0, count, width):
            line += " " if index == 8 and count > 8 else ""
            column = len(line) + 1
            assert hexdump.cell_at(column, digits, width, count) == index
            line += " " * (1 + 2 * width)
        assert hexdump.cell_at(len(line) + 1, digits, width, count) is None


# Where one goes.


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("0x500", 0x500), ("1280", 0x500), ("500h", 0x500), ("f000:fff0", 0xFFFF0),
        ("gdt", 0x1_1000), ("gdt+0x8", 0x1_1008), ("gdt - 8", None),
        ("gdtr", 0x1_1000), ("idtr+16", 0x1_1040), ("rsp", 0x10_1000),
        ("esp", 0x10_1000), ("rsp-8", 0x10_0FF8), ("ss:0x10", 0x10), ("cr3", 0x7_0000),
        ("idt", 0x1_1030), ("rip", 0x1_0185), ("bsp_main", 0x1_010F),
    ],
)  # fmt: skip
def test_an_address_is_a_number_a_name_or_a_register(
    word: str, value: int | None
) -> None:
    view = look(bringup(), "run 40000")
    found = addresses.entered(word, view.vcpu, view.now.symbols)
    if value is None:
        assert isinstance(found, str)
    else:
        assert isinstance(found, addresses.Address)
        assert found.value == value
        assert found.physical is (
            True if word == "cr3" else None if ":0" not in word else False
        )


@pytest.mark.parametrize(
    "word", ["nowhere", "", "0x", "rsp+", "rsp+zz", "\x1b[2J", "+1"]
)
def test_what_is_no_address_says_so(word: str) -> None:
    view = look(bringup(), "run 40000")
    found = addresses.entered(word, view.vcpu, view.now.symbols)
    assert isinstance(found, str)
    assert "\x1b" not in found


def test_the_stack_of_real_mode_is_in_its_segment() -> None:
    regs = {
        "efer": 0, "rsp": 0x1_FFF0, "ss.base": 0x2_0000, "ss.flags": 0x9300,
        "cs.flags": 0x9B00, "rip": 0xFFF0, "cs.base": 0xFFFF_0000,
    }  # fmt: skip
    assert pointed("rsp", regs) == 0x2_FFF0
    assert pointed("rip", regs) == 0xFFFF_FFF0
    wide = regs | {"efer": 1 << 10, "cs.flags": 0xAF_9B00}
    assert pointed("rsp", wide) == 0x1_FFF0


def test_the_cursor_stays_in_view() -> None:
    window = Window(first=0x100, cursor=0x100)
    for by, first, cursor in (
        (16, 0x100, 0x110), (-17, 0xE0, 0xEF), (0x80, 0x110, 0x180),
        (-0x300, -0x200, -0x200),
    ):  # fmt: skip
        moved = window.moved(by, 16, 8)
        assert (moved.first, moved.cursor) == (first, cursor)


# What is typed.


@pytest.mark.parametrize(
    ("text_", "width", "data"),
    [
        ("90", 1, b"\x90"), ("9", 1, b"\x09"), ("90 90 c3", 1, b"\x90\x90\xc3"),
        ("0x90", 1, b"\x90"), ("9090C3", 1, b"\x90\x90\xc3"), ("'ab'", 4, b"ab"),
        ("1234", 2, b"\x34\x12"), ("1", 8, b"\1" + bytes(7)), ('"\'"', 1, b"'"),
    ],
)  # fmt: skip
def test_what_is_typed_is_hex_or_a_text(text_: str, width: int, data: bytes) -> None:
    assert typed(text_, width) == data


@pytest.mark.parametrize(("text_", "width"), [
    ("zz", 1), ("100", 1), ("90 9", 1), ("12345", 2), ("90 90", 4), ("''", 1),
    ("-1", 1),
])  # fmt: skip
def test_what_is_neither_says_what_is(text_: str, width: int) -> None:
    assert isinstance(typed(text_, width), str)


# The walk.


@pytest.mark.parametrize("size", [(46, 12), (79, 9), (119, 9), (160, 12)])
def test_a_walk_is_told_entry_by_entry(size: tuple[int, int]) -> None:
    session = bringup()
    session.execute("run 40000")
    window = Window(first=0x40_1230, cursor=0x40_1234)
    rows = walk.render(at(session, window), 1, size)
    assert all(row.width <= size[0] for row in rows)
    told = plain(rows)
    assert "401234  vCPU 0  read by the supervisor" in told
    assert [row.role for row in rows[1:4]] == ["", "cursor", ""]
    assert "physical 401234, RAM, 2 MiB" in told
    for name, index in (("PML4E", 0), ("PDPTE", 0), ("PDE", 2)):
        assert f"{name:<5} {index:>4}" in told


def test_a_refusal_is_told_with_its_error_code() -> None:
    session = bringup()
    session.execute("run 40000")
    window = Window(first=0x40_1230, cursor=0x40_1234)
    access = PageAccess(write=True, user=True)
    told = plain(walk.render(at(session, window, access=access), 0, (79, 12)))
    assert "CPL 3 may not write to the page: U/S is clear" in told
    assert "#PF, error code 0x7: P W U rsvd i  a right is missing, write, CPL 3" in told
    window = Window(first=1 << 47, cursor=1 << 47)
    told = plain(walk.render(at(session, window), 0, (79, 12)))
    assert "is not canonical" in told
    assert "#GP(0)" in told


def test_an_entry_that_has_changed_has_a_sign() -> None:
    session = bringup()
    session.execute("run 40000")
    window = Window(first=0x40_1230, cursor=0x40_1234)
    before = at(session, window)
    session.execute("poke 0x72010 0 --width 8 --physical")
    view = replace(at(session, window), before=before.now)
    told = plain(walk.render(view, 0, (79, 9))).split("\n")
    [row] = [each for each in told if "PDE      2" in each]
    assert row.startswith("*PDE      2")
    assert "not present" in row


def test_no_walk_of_what_is_physical_or_not_there() -> None:
    session = bringup()
    window = Window(first=0x500, cursor=0x500, physical=True)
    assert "not translated" in plain(walk.render(at(session, window), 0, (79, 9)))
    assert "paging is off" in plain(
        walk.render(at(session, replace(window, physical=False)), 0, (79, 9))
    )
    assert plain(walk.render(look(session), 0, (79, 9)))


# On the screen.


@pytest.mark.parametrize("size", SIZES)
def test_the_stack_is_in_view_and_moves(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("6")
        assert it.app.main.focused_name == "memory"
        await it.command("break bsp_main")
        await it.press("c")
        rsp = it.view.vcpu.regs["rsp"]
        assert f" {rsp:08x} [" in it.text
        assert "memory  linear, vCPU 0, along rsp" in it.text
        assert "page walk" in it.text
        await it.press("c")
        now = it.view.vcpu.regs["rsp"]
        assert f" {now:08x} [" in it.text
        assert f" {now:x}  vCPU 0  read by the supervisor" in it.text

    drive(bringup(), play, size)


@pytest.mark.parametrize("size", SIZES)
def test_going_to_places_by_keys_in_one_burst(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g", "g", "d", "t", "enter", "right", "down", "w", "w")
        await it.press()
        pane = it.app.main.query_one(memory.MemoryPane)
        per_row = pane._per_row
        assert pane.cursor == 0x1_1001 + per_row
        assert pane.window.width == 4
        assert f" {pane.cursor:x}  vCPU 0" in it.text
        await it.pilot.press("g", "n", "o", "enter")
        await it.press()
        assert "'no' is no number, symbol or register" in it.text
        await it.press("escape")
        await it.pilot.press("g", "c", "r", "3", "enter")
        await it.press()
        assert "memory  physical" in it.text
        assert pane.cursor == 0x7_0000

    drive(bringup(), play, size)


def test_wrongly_then_rightly_and_back(tmp_path: Path) -> None:
    """A byte is written by keys, seen, recorded, and undone by going back."""
    session = bringup()
    file = tmp_path / "a.lapis"
    wanted = []

    async def play(it: Driver) -> None:
        await it.command(f"record start {file}")
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g", "g", "d", "t", "enter", "e")
        await it.type("zz")
        await it.press("enter")
        assert "'zz' is no hex" in it.text
        await it.press("backspace", "backspace")
        await it.type("90 C3")
        await it.press("enter")
        assert "0x11000: 00 00 -> 90 c3" in it.text
        assert "00011000 *90*c3[00]" in it.text
        wanted.append(digest(session))
        acts = len(session.timeline.branch.entries)
        await it.press("shift+left")
        assert "00011000 *00*00[00]" in it.text
        await it.press("shift+right")
        assert "00011000 *90*c3[00]" in it.text
        assert len(session.timeline.branch.entries) == acts
        assert digest(session) == wanted[0]

    drive(session, play, (120, 40))
    session.close()
    verdict = recordings.verify(file)
    assert verdict.divergence is None
    assert verdict.digest == wanted[0]


def test_what_is_refused_changes_nothing_and_says_why() -> None:
    session = bringup()

    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        for address in ("0xfee00000", "0x800000000000", "0xc0000000"):
            await it.pilot.press("g")
            await it.type(address)
            await it.pilot.press("enter", "e", "0", "0", "enter")
            await it.press()
            assert " ! " in it.rows[-2], it.rows[-2]

    before = len(session.timeline.branch.entries)
    drive(session, play, (80, 25))
    assert len(session.timeline.branch.entries) == before + 1  # the run


def test_the_walk_has_kinds_of_access_and_goes_to_its_entries() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.press("tab")
        assert it.app.main.focused_name == "walk"
        await it.press("w")
        assert "write by the supervisor" in it.text
        await it.press("u")
        assert "write by CPL 3" in it.text
        assert "error code 0x7" in it.text
        await it.press("x")
        assert "fetch by CPL 3" in it.text
        await it.press("down", "down", "enter")
        assert it.app.main.focused_name == "memory"
        assert "memory  physical" in it.text
        assert f" {0x7_2000:08x} [" in it.text

    drive(bringup(), play, (80, 25))


def test_who_wrote_it_last_is_gone_back_to() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g")
        await it.type("aps_counted")
        await it.press("enter")
        await it.press("u")
        assert it.view.now.ahead
        await it.press("v", "u")
        assert "u wants a linear address" in it.rows[-2]

    drive(bringup(), play, (80, 25))


def test_the_mouse_puts_the_cursor_where_it_points() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g", "g", "d", "t", "enter")
        await it.press()
        pane = it.app.main.query_one(memory.MemoryPane)
        await it.pilot.click(pane, offset=(11 + 3 * 5, 3))
        await it.press()
        assert pane.cursor == 0x1_1000 + 0x20 + 5
        assert it.view.now.memory is not None
        assert f"[{it.view.now.memory.extents[0].data[0x25]:02x}]" in it.rows[5]
        await it.press("home")
        assert pane.cursor == 0x1_1020
        await it.press("end")
        assert pane.cursor == 0x1_102F
        await it.press("pagedown", "pageup")
        assert pane.cursor == 0x1_102F

    drive(bringup(), play, (80, 25))


def test_an_entry_that_is_written_shows_in_the_walk() -> None:
    """The walk stays that of the linear address while its tables are looked at."""

    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g", *"0x401234", "enter")
        await it.press("tab", "down", "down", "enter")
        assert it.app.main.focused_name == "memory"
        assert " 401234  vCPU 0  read by the supervisor" in it.text
        assert ">PDE" in it.text
        assert "= physical 401234, RAM" in it.text
        await it.press("w", "w", "w", "e", "0", "enter")
        assert "the PDE at 0x72010 is not present" in it.text
        await it.press("v")
        assert "the PDE at" not in it.text

    drive(bringup(), play, (80, 25))


def test_enter_says_what_is_under_the_cursor() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.pilot.press("g", "g", "d", "t", "+", "8", "enter", "enter")
        await it.press()
        assert "entry 1 of the GDT" in it.text

    drive(bringup(), play, (80, 25))


def test_another_vcpu_has_its_own_stack() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press("6")
        await it.press("n")
        assert "linear, vCPU 1, along rsp" in it.text
        assert it.view.now.memory is not None
        assert it.view.now.memory.first == it.view.vcpu.regs["rsp"]
        await it.press("r")
        assert "along" not in it.text.split("\n")[2]
        await it.press("v")
        assert "memory  physical" in it.text

    drive(bringup(), play, (120, 40))


def test_pictures_without_the_pane_have_no_memory() -> None:
    async def play(it: Driver) -> None:
        await it.press("6")
        assert it.view.now.memory is not None
        await it.press("1")
        assert it.view.now.memory is None

    drive(bringup(), play)


def test_a_picture_of_memory_touches_nothing() -> None:
    session = bringup()
    session.execute("run 40000")
    before = digest(session)
    for first in (0, 0xFEE0_0000, 0x7_0000, (1 << 64) - 64):
        for physical in (False, True):
            place = MemoryPlace(0, None, first, 0x1000, physical)
            memory_picture.take(session.machine, place)
    assert digest(session) == before


@pytest.mark.parametrize("size", SIZES)
def test_all_of_it_may_be_typed_ahead(size: tuple[int, int]) -> None:
    keys = ["6", "r", "g", *"gdt+8", "enter", "w", "w", "e", *"1234", "enter", "left"]

    async def play(it: Driver) -> None:
        await it.press("c")
        await it.press(*("plus" if key == "+" else key for key in keys))
        assert "0x11008: ff ff 00 00 -> 34 12 00 00" in it.text
        assert "[00001234]" in it.text
        assert "was 0xffff" in it.text

    drive(bringup(), play, size)
