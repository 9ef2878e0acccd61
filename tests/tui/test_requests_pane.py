"""The requests pane: a question answered wrongly, then rightly, by keys alone."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive, look

from lapis_tui.blocks.asked import entered, name_of
from lapis_tui.blocks.lines import plain
from lapis_tui.panes import requests as pane


@pytest.mark.parametrize("size", [(80, 15), (120, 36), (200, 56)])
def test_what_waits_and_what_was_answered(size: tuple[int, int]) -> None:
    session = bringup()
    view = look(session, "run")
    rows = pane.render(view, size)
    assert len(rows) <= size[1]
    assert all(row.width <= size[0] for row in rows)
    text = plain(rows)
    assert "read   mmio d0000000" in text
    assert "4 bytes" in text
    assert "nothing yet" in text
    session.execute("answer 0x1234")
    text = plain(pane.render(look(session), size))
    assert "nothing waits" in text
    assert "= 0x1234  you" in text


@pytest.mark.parametrize(
    ("kind", "address", "name"),
    [
        ("mmio", 0xFEE000F0, "LAPIC SVR"), ("mmio", 0xFEE00300, "LAPIC ICR"),
        ("mmio", 0xFEE00130, "LAPIC ISR3"), ("mmio", 0xFEC00010, "IOAPIC data"),
        ("inout", 0x40, "8254 counter"), ("inout", 0x71, "RTC data"),
        ("inout", 0xCFC, "PCI config data"), ("msr", 0x830, "x2APIC ICR"),
        ("msr", 0xC0000080, "EFER"), ("mmio", 0xD0000000, ""),
    ],
)  # fmt: skip
def test_a_register_has_its_name(kind: str, address: int, name: str) -> None:
    assert name_of(kind, address) == name


@pytest.mark.parametrize(
    ("text", "size", "value"),
    [
        ("0x1234", 2, 0x1234), ("1234", 2, 1234), ("0b1010", 1, 10),
        ("-1", 4, 2**32 - 1),
        ("-0x80", 1, 0x80), ("'A'", 1, 0x41), ("-1", 8, 2**64 - 1), (" 7 ", 1, 7),
    ],
)  # fmt: skip
def test_an_answer_is_read(text: str, size: int, value: int) -> None:
    assert entered(text, size) == value


@pytest.mark.parametrize("text", ["zz", "", "--1", "-", "'", "''", "0x", "1 2"])
def test_what_is_no_number_says_what_is(text: str) -> None:
    why = entered(text, 4)
    assert isinstance(why, str)
    assert why.endswith("is not a number: 0x1234, 1234, 0b1010, -1, 'A'")


@pytest.mark.parametrize(("text", "size"), [("256", 1), ("-129", 1), ("0x10000", 2)])
def test_what_is_too_wide_is_refused(text: str, size: int) -> None:
    why = entered(text, size)
    assert isinstance(why, str)
    assert "too wide" in why


def test_wrongly_then_rightly() -> None:
    """The field stays with its text and says what is wrong; back to the question."""
    session = bringup()

    async def play(driver: Driver) -> None:
        await driver.press("c")
        assert driver.view.now.pending
        await driver.press("4")
        assert driver.app.main.focused_name == "requests"
        await driver.press("enter")
        await driver.type("zz")
        await driver.press("enter")
        assert "'zz' is not a number" in driver.text
        assert driver.view.now.pending
        await driver.press("backspace", "backspace")
        await driver.type("0x100000000")
        await driver.press("enter")
        assert "too wide: 4 bytes" in driver.text
        await driver.press(*["backspace"] * len("0x100000000"))
        await driver.type("0x1234")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0x1234  you" in driver.text
        assert driver.app.main.focused_name == "requests"
        await driver.press("u")
        await driver.until(lambda: bool(driver.view.now.pending))

    drive(session, play, (80, 25))


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("p", "= 0x0  you"), ("f", "= 0xffffffff  you"), ("D", "discarded  you"),
        ("xg", "#GP"), ("xu", "#UD"), ("xp", "#PF"),
    ],
)  # fmt: skip
def test_each_key_settles_it(keys: str, shown: str) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("4")
        await driver.press(*keys)
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert shown in driver.text

    drive(bringup(), play, (120, 40))


def test_a_rule_is_begun_and_answers() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("4")
        await driver.press("R")
        await driver.type("7")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        await driver.press()
        assert "= 0x7  rule 1" in driver.text

    drive(bringup(), play, (120, 40))


def test_the_field_of_the_row_keeps_what_is_wrong() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("a")
        await driver.type("zz")
        await driver.press("enter")
        assert "'zz' is not a number" in driver.text
        assert driver.app.focused is not None
        assert driver.app.focused.id == "answer"
        await driver.press("backspace", "backspace")
        await driver.type("-1")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)

    drive(bringup(), play, (80, 25))


def test_the_key_of_an_answer_goes_where_the_field_is() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c")
        await driver.press("3")
        await driver.press("a")
        await driver.type("5")
        await driver.press("enter")
        await driver.until(lambda: not driver.view.now.pending)
        assert driver.app.main.layout_.name == "requests"

    drive(bringup(), play, (80, 25))


def test_answer_and_run_runs_only_when_it_was_answered() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("c", "4", "C")
        await driver.type("0x1234")
        await driver.press("enter")
        await driver.press()
        assert "device says 0x1234" in driver.view.now.consoles["com1"].decode()

    async def refused(driver: Driver) -> None:
        await driver.press("c", "4")
        at = driver.view.now.now
        pane_ = driver.app.main.query_one(pane.RequestsPane)
        pane_.post_message(pane_.Wish("answer zz 0", then="run"))
        await driver.press()
        assert "zz" in driver.rows[-2]
        assert driver.view.now.now == at
        assert driver.view.now.pending

    drive(bringup(), play, (120, 40))
    drive(bringup(), refused, (120, 40))
