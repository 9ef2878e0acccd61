"""Layout 5: a level through a pin until its EOI, lines, timers and messages, by keys.

Numbers are those of the 82093AA (bit 14 remote IRR, 15 level, 16 mask) and the 8259A.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, drive

from lapis_engine.why.reason import blocks
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import devices, ioapic
from lapis_tui.blocks import listing, message_rows, pic_lines, pins, timer_rows
from lapis_tui.blocks.lines import Line, plain
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.ioapic import PinView

SIZES = [(80, 25), (120, 40), (200, 60)]


def level(**options: object) -> Session:
    """Return the guest whose pin 16 is a level of vector 0x41, and is never ended."""
    given = SessionOptions("level", **{"cpus": 2, **options})  # type: ignore[arg-type]
    return open_session(given, discover().extensions)


def line_of(driver: Driver, start: str) -> str:
    """Return the first row of a pane that begins so, blanks aside."""
    pieces = (piece for row in driver.rows for piece in row.split("│"))
    return next(
        (piece for piece in pieces if " ".join(piece.split()).startswith(start)), ""
    )


def told(driver: Driver, name: str) -> str:
    """Return what a pane says, as one line."""
    pane = driver.app.main.query_one(f"#{name}", LinePane)
    return " ".join(plain(pane.lines).split())


async def show(driver: Driver, pane: str, row: int) -> None:
    await driver.press("5")
    await driver.go(pane)
    await driver.press("g", *["j"] * row)


@pytest.mark.parametrize("size", SIZES)
def test_a_level_goes_through_its_pin(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 5000")
        await show(driver, "ioapic", 16)
        row = line_of(driver, "▸ 16")
        assert "41 fixed" in row
        assert "level high" in row
        assert "vCPU 0" in row
        assert "idle" in row
        await driver.press("r")
        row = line_of(driver, "▸ 16")
        assert "*up 1" in row
        assert "others" in row
        assert "*waits for EOI" in row
        assert "no EOI has come back" in told(driver, "ioapic")
        await driver.press("c")
        row = line_of(driver, "▸ 16")
        assert "waits for EOI" in row
        assert "*waits" not in row
        await driver.press("l")
        assert " waits for EOI" in line_of(driver, "▸ 16")
        await driver.command("eoi 0")
        row = line_of(driver, "▸ 16")
        assert "*idle" in row
        assert "rose once" in told(driver, "ioapic")

    session = level()
    session.limit = 20_000
    drive(session, play, size)


def test_the_cursor_begins_at_a_pin_that_is_in_use() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("5")
        assert line_of(driver, "▸ 0")
        await driver.command("run 5000")
        assert line_of(driver, "▸ 16")
        await driver.press("k")
        assert line_of(driver, "▸ 15")
        await driver.press("c")
        assert line_of(driver, "▸ 15")

    drive(level(), play, (80, 25))


def test_a_wrong_destination_says_who_is_not_there() -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 5000")
        await show(driver, "ioapic", 16)
        await driver.command("kernemu write 0xfec00000 4 0x31")
        await driver.command("kernemu write 0xfec00010 4 0x40000000")
        assert "*nobody" in line_of(driver, "▸ 16")
        assert "nobody there" in line_of(driver, "▸ 16")
        assert "no APIC answers APIC id 0x40" in driver.text
        await driver.command("kernemu write 0xfec00000 4 0x30")
        await driver.command("kernemu write 0xfec00010 4 0x18041")
        assert "*masked" in line_of(driver, "▸ 16")
        assert "is masked (bit 16)" in driver.text

    drive(level(), play)


def test_the_keys_of_a_pin() -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 5000")
        await show(driver, "ioapic", 16)
        await driver.press("i")
        assert "rose once" in driver.text
        assert " up " not in line_of(driver, "▸ 16")
        await driver.press("enter")
        assert "IOAPIC pin 16, entry 0x000000000000c041" in driver.text
        await driver.press("escape", "x")
        assert "remote IRR" in driver.text
        await driver.press("escape", "w")
        assert "vector 0x41 is in the IRR of vCPU 0" in driver.text
        await driver.press("escape", "e")
        seen = driver.view.event
        assert seen is not None
        assert seen.event.kind == "pin"
        await driver.press("e", "e")
        seen = driver.view.event
        assert seen is not None
        assert seen.event.kind == "pin"
        await driver.press("e")
        assert "no event before the cursor is about this" in driver.text
        await driver.press("E")
        assert driver.view.event is not None
        assert driver.view.event.event.kind == "message"
        await driver.press("escape", "g", "w")
        assert "vector 0x00" in driver.text

    drive(level(), play)


def test_back_in_the_past_a_pin_has_risen_less_often() -> None:
    async def play(driver: Driver) -> None:
        await driver.command("run 5000")
        await driver.command("checkpoint before")
        await show(driver, "ioapic", 5)
        await driver.press("i", "i", "i")
        assert "rose 3 times" in told(driver, "ioapic")
        await driver.command("goto before")
        assert "never rose" in told(driver, "ioapic")
        assert line_of(driver, "▸ 5")
        await driver.command("goto end")
        assert "rose 3 times" in told(driver, "ioapic")

    drive(level(), play)


def test_what_moves_a_line_is_recorded_as_an_act() -> None:
    async def play(driver: Driver) -> None:
        before = driver.view.now.history.acts
        await show(driver, "ioapic", 5)
        await driver.press("i")
        await driver.go("pic")
        await driver.press("g", "j", "r", "l")
        assert driver.view.now.history.acts > before
        assert driver.view.now.events_total > 0

    drive(level(), play)


@pytest.mark.parametrize("size", SIZES)
def test_the_8259s(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await show(driver, "pic", 1)
        assert "master base 08" in driver.text
        assert "slave  base 70" in driver.text
        assert "INTR low, by LINT0 to vCPU 0" in driver.text
        assert "(keyboard)" in line_of(driver, "▸ 1 09")
        await driver.press("r")
        row = line_of(driver, "▸ 1 09")
        assert "*high" in row
        assert "*r" in row
        assert "*asks" in row
        assert "INTR up, INTA gives 09" in driver.text
        await driver.press("w")
        assert "vector 0x09 is the next ExtINT of vCPU 0" in driver.text
        await driver.press("escape", "enter")
        assert "ISA line 1, vector 0x09" in driver.text

    drive(level(machine="pc"), play, size)


@pytest.mark.parametrize("size", SIZES)
def test_timers_and_messages(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await show(driver, "timers", 3)
        assert "54.926240 ms" in line_of(driver, "▸ pit channel 0")
        assert "at 54,926,240 ns" in driver.text
        await driver.press("w")
        assert line_of(driver, "▸ pit channel 0")  # it has no vector to ask about
        await driver.press("enter")
        assert "ISA line 0, vector 0x08" in driver.text
        await driver.press("escape", "G")
        assert line_of(driver, "▸ lapic 1")
        await driver.press("enter")
        assert "vCPU 1: local APIC 0x1" in driver.text
        await driver.press("escape", "w")
        assert "LVT timer (0x10000) names it and is masked" in driver.text
        await driver.press("escape")
        await driver.go("msi")
        await driver.press("j")
        assert "off" in line_of(driver, "▸ virtio-rng vector 1")
        assert "MSI-X is off" in driver.text
        await driver.press("i")
        assert "0xfeexxxxx" in " ".join(driver.text.split())

    drive(level(machine="pc"), play, size)


def test_a_bare_machine_says_what_it_has_not() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("5")
        await driver.go("msi")
        assert "nothing here sends messages" in driver.text
        await driver.press("enter", "w", "i", "e", "x", "j", "G")
        await driver.go("timers")
        assert "acpi pm timer" in driver.text
        assert "hpet" not in driver.text

    session = open_session(SessionOptions("level", cpus=1), discover().extensions)
    drive(session, play, (80, 25))


def test_a_click_goes_to_a_row_and_f1_explains() -> None:
    async def play(driver: Driver) -> None:
        await show(driver, "ioapic", 0)
        at = next(n for n, row in enumerate(driver.rows) if row.startswith("    7 "))
        await driver.pilot.click(offset=(10, at))
        await driver.press()
        assert line_of(driver, "▸ 7")
        title = next(n for n, row in enumerate(driver.rows) if row.startswith(" pin 7"))
        await driver.pilot.click(offset=(10, title))
        await driver.press()
        assert line_of(driver, "▸ 7")
        await driver.press("f1")
        assert "take one assertion away" in driver.text
        assert "to the next event about this" in driver.text

    drive(level(), play, (80, 33))


def test_a_device_with_an_odd_name_holds_a_line() -> None:
    """Names of plug-ins' devices are text, whatever stands in them."""
    name = "[red]x[/] \x1b[31m 中"
    session = level(machine="pc")
    com1 = next(each for each in session.machine.vm.devices if each.name == "com1")
    com1.name, com1.state.line = name, True

    async def play(driver: Driver) -> None:
        await show(driver, "pic", 4)
        await driver.press("r")
        await driver.go("ioapic")
        await driver.press("j")
        assert "[red]x[/]" in driver.text
        assert "\x1b" not in driver.text
        await driver.go("timers")
        await driver.press("G")
        assert "[red]x[/]" in told(driver, "timers")

    drive(session, play, (120, 40))


# The blocks alone.


def pin_of(number: int = 0, **changes: object) -> PinView:
    session = level()
    view = ioapic.of(session.machine)
    assert view is not None
    session.close()
    return replace(view.pins[number], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 79, 119, 199])
@pytest.mark.parametrize("name", ["[red]x[/]", "\x1b[31mred\n", "中中中", "é" * 90])
def test_odd_names_of_devices_stay_text(width: int, name: str) -> None:
    pin = pin_of(4, asserted=3, holders=(name,), masked=False)
    made = [pins.row(pin, None, 2, 2, width), *pins.detail(pin, 2, width)]
    for line in made:
        assert line.plain.isprintable()
        assert line.fit(width).width == width
    if name.startswith("["):
        assert "[red]x[/]" in made[0].plain


@pytest.mark.parametrize("count", [24, 240])
def test_every_pin_can_be_reached(count: int) -> None:
    made: list[int] = []

    def row(number: int) -> Line:
        made.append(number)
        return Line(f"pin {number}")

    for at in (0, count // 2, count - 1):
        made.clear()
        lines = listing.listing(
            [Line("head")], count, row, at, [Line("x")] * 9, (60, 20)
        )
        assert len(lines) == 20
        assert len(made) <= 10
        assert [line.plain.strip(" ▸↕") for line in lines if "▸" in line.plain] == [
            f"pin {at}"
        ]


@pytest.mark.parametrize("height", range(1, 12))
def test_a_low_pane_still_shows_the_row_under_the_cursor(height: int) -> None:
    heads = [Line("a"), Line("b")]
    lines = listing.listing(
        heads, 24, lambda n: Line(f"{n}"), 13, [Line("x")] * 8, (30, height)
    )
    assert len(lines) <= height
    assert height <= 2 or any(line.plain.startswith("▸13") for line in lines)


@pytest.mark.parametrize(
    ("codes", "masked", "said"),
    [
        ((), False, "lets out"), (("line",), False, "idle"),
        (("ioapic-mask", "line"), True, "masked"),
        (("line", "destination"), False, "idle, nobody there"),
        (("remote-irr", "svr"), False, "waits for EOI, refused"),
        (("what-is-new",), False, "what-is-new"),
    ],
)  # fmt: skip
def test_what_bars_a_pin_in_two_words(
    codes: tuple[str, ...], masked: bool, said: str
) -> None:
    reasons = tuple(blocks(code, f"because of {code}") for code in codes)
    pin = pin_of(masked=masked, reasons=reasons)
    assert said in pins.row(pin, None, 0, 2, 79).plain
    text = " ".join(line.plain for line in pins.detail(pin, 0, 79))
    assert all(f"because of {code}" in text for code in codes)


@pytest.mark.parametrize("width", [78, 118, 198])
def test_nothing_is_marked_that_has_not_changed(width: int) -> None:
    session = level(machine="pc")
    session.execute("run 20")
    found = devices.of(session.machine)
    assert found.ioapic is not None
    rows = [pins.row(pin, pin, 0, 2, width) for pin in found.ioapic.pins]
    rows += [pic_lines.row(line, line) for chip in found.pics for line in chip.lines]
    rows += [timer_rows.row(each, each, width) for each in found.timers]
    rows += [message_rows.row(each, each, 2, width) for each in found.messages]
    assert not [row.plain for row in rows if "*" in row.plain]
    assert max(row.width for row in rows if row.plain.strip()) <= max(width, 126)
    session.close()
