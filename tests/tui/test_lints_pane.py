"""The lints pane: findings gravest first, their pages, and the way to their events.

The guest `lints` does in turn what a guest should not; its source says what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.machines import GUESTS
from rigs.screens import Driver, drive

from lapis_engine.events import Linted
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.blocks.lines import plain
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from lapis_sessions.session import Session

SIZES = [(80, 25), (120, 40), (200, 60)]


def opened(guest: str = str(GUESTS / "lints.bin")) -> Session:
    return open_session(SessionOptions(guest, cpus=2), discover().extensions)


def lines(driver: Driver) -> list[str]:
    """Return the rows of the pane, blanks put together."""
    pane = driver.app.main.query_one("#lints", LinePane)
    return [" ".join(row.split()) for row in plain(pane.lines).splitlines()]


@pytest.mark.parametrize("size", SIZES)
def test_findings_are_listed_the_gravest_first(size: tuple[int, int]) -> None:
    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.go("lints")
        assert lines(driver)[0].startswith("nothing found; `lint` lists")
        await driver.command("run 100000")
        await driver.press("g")
        rows = lines(driver)
        assert rows[0] == "times lint vCPU what"
        assert rows[1].startswith("▸* 1 empty-trampoline 1 started at 0x40000, and")
        assert "empty-trampoline error event" in " ".join(rows)
        assert "page 0x40000" in " ".join(rows)
        assert "lints, 8 found" in driver.text
        await driver.press("enter")
        assert "Where it bites" in driver.text
        assert "Zeros are `add [bx+si], al`" in driver.text
        await driver.press("escape", "j")
        assert any(
            row.startswith("▸") and "eoi-empty-isr" in row for row in lines(driver)
        )

    drive(opened(), play, size)


def test_a_finding_leads_to_its_event_and_its_lint_is_switched_off() -> None:
    session = opened()

    async def play(driver: Driver) -> None:
        await driver.press("7")
        await driver.go("lints")
        await driver.command("run 100000")
        await driver.press("g", "e")
        at = driver.view.at
        assert at is not None
        (told,) = (each.event for each in driver.view.now.events if each.seq == at)
        assert isinstance(told, Linted)
        assert told.name == "empty-trampoline"
        await driver.press("o")

    drive(session, play, (200, 60))
    assert session.machine.lints.state.off == ("empty-trampoline",)


def test_a_guest_without_a_finding_says_so_and_takes_every_key() -> None:
    async def play(driver: Driver) -> None:
        await driver.press("3")
        await driver.go("lints")
        await driver.press("enter", "o", "e", "E", "j", "G", "f1")
        assert "the page of the lint" in driver.text
        await driver.press("escape")
        assert "nothing found" in driver.text

    drive(opened("ap-bringup"), play, (80, 25))
