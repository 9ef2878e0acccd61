"""A click is on the row that the mouse is on, and the border of a pane is no row."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive


async def click(driver: Driver, start: str) -> None:
    """Click on the first row of the screen that begins so."""
    rows = enumerate(driver.rows)
    at = next(n for n, row in rows if " ".join(row.split()).startswith(start))
    await driver.pilot.click(offset=(14, at))
    await driver.press()


@pytest.mark.parametrize("number", [2, 4, 5])
def test_on_an_event(number: int) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.command("run 20000")
        await driver.go("events")
        await click(driver, f"{number} ")
        assert driver.view.at == number

    drive(bringup(), play, (120, 40))


def test_on_a_border() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.command("run 20000")
        await driver.go("events")
        await click(driver, "2 ")
        title = next(n for n, row in enumerate(driver.rows) if "events, us" in row)
        await driver.pilot.click(offset=(14, title))
        await driver.press()
        assert driver.view.at == 2

    drive(bringup(), play, (120, 40))


def test_on_a_byte_of_memory() -> None:
    """Three rows of 16 bytes below 0x10000, in the column of the third byte."""

    async def play(driver: Driver) -> None:
        await driver.press("6", "g")
        await driver.type("0x10000")
        await driver.press("enter")
        await click(driver, "00010030 ")
        pane = driver.app.main.focused
        assert getattr(pane, "cursor", None) == 0x10031

    drive(bringup(), play, (120, 40))
