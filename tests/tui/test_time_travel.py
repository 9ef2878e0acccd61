"""Going back on the screen: keys, and what the panes show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs.screens import Driver, bringup, drive

if TYPE_CHECKING:
    from pathlib import Path


def _events(it: Driver) -> list[int]:
    return [logged.seq for logged in it.view.events]


def test_capital_s_takes_back_what_s_did() -> None:
    async def play(it: Driver) -> None:
        await it.press("s", "s", "s", "s")  # cli; cld; mov ax, cs; mov ds, ax
        assert it.view.vcpu.rip == 6
        await it.press("S")
        assert it.view.vcpu.rip == 4
        assert "« 1 to the end" in it.rows[0]
        assert "ds *0000" in it.text
        await it.press("s")
        assert it.view.vcpu.rip == 6

    drive(bringup(), play)


def test_going_back_takes_the_events_away_and_they_come_again() -> None:
    async def play(it: Driver) -> None:
        await it.press("c")
        whole = _events(it)
        assert whole == list(range(len(whole)))
        await it.command("catch eoi")
        await it.press("C")
        there = _events(it)
        assert there == whole[: len(there)]
        assert len(there) < len(whole)
        assert "eoi" in it.view.events[-1].event.kind
        await it.press("C")
        await it.command("goto end")
        assert _events(it) == whole

    drive(bringup(), play)


def test_at_the_beginning_it_says_so() -> None:
    async def play(it: Driver) -> None:
        await it.press("S")
        assert "has retired 0" in it.rows[-2]

    drive(bringup(), play)


def test_that_one_is_recorded_is_on_the_screen(tmp_path: Path) -> None:
    async def play(it: Driver) -> None:
        assert "rec" not in it.rows[0]
        await it.command(f"record start {tmp_path / 'a.lapis'}")
        assert "● rec" in it.rows[0]
        await it.command("record stop")
        assert "rec" not in it.rows[0]

    drive(bringup(), play)
