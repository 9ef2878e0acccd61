"""The tour: offered once, followed by keys to its end, skipped and left at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, bringup, drive, spin

from lapis_tui.blocks.lines import wrap
from lapis_tui.kept import Kept
from lapis_tui.panes.tour import ROWS, TourPane
from lapis_tui.tour import OFFER, STEPS

if TYPE_CHECKING:
    from pathlib import Path

WAYS = (
    ("s",), ("3",), ("c",), ("a", *"0x1234", "enter"), ("c",), ("home",),
    ("c", "c", "c", "c", "end"), ("2",), ("i", "escape"), ("f1", "escape"),
)  # fmt: skip
"""The keys of each step, as its title says them."""


def number(it: Driver) -> int | None:
    tour = it.app.main.query_one(TourPane).tour
    return None if tour is None else tour.number


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_keys_lead_through_it_to_its_end(size: tuple[int, int]) -> None:
    assert len(WAYS) == len(STEPS) - 1

    async def play(it: Driver) -> None:
        await it.press("1", "f2")
        for step, keys in enumerate(WAYS):
            assert number(it) == step
            assert (
                f"tour {step + 1} of {len(WAYS)}: press {STEPS[step].keys}" in it.text
            )
            assert " ".join(STEPS[step].text.split()) in " ".join(it.text.split())
            await it.press(*keys)
        assert "device says 0x1234" in it.view.now.consoles["com1"].decode()
        assert "That was the tour" in it.text
        await it.press("f3")
        assert number(it) is None
        assert "That was the tour" not in it.text

    drive(bringup(), play, size)


def test_the_box_takes_rows_of_the_panes_and_gives_them_back() -> None:
    async def play(it: Driver) -> None:
        before = {name: box.height for name, box in it.app.main.places.boxes.items()}
        await it.press("f2")
        rows = it.rows
        assert rows[-2 - ROWS].lstrip("━").startswith("tour 1 of 10")
        boxes = it.app.main.places.boxes.values()
        assert max(box.y + box.height for box in boxes) == 25 - 4 - ROWS
        await it.press("f3")
        after = {name: box.height for name, box in it.app.main.places.boxes.items()}
        assert after == before

    drive(bringup(), play, (80, 25))


def test_a_step_is_two_rows_at_80_columns_at_most() -> None:
    for step in STEPS:
        assert len(wrap(step.text, 77)) <= ROWS - 1, step.text


def test_f2_skips_a_step_and_what_is_done_already_is_gone_past() -> None:
    async def play(it: Driver) -> None:
        await it.press("f2", "f2")
        assert number(it) == 1  # the layout
        await it.press("3")
        assert number(it) == 2
        await it.command("run 28000")
        await it.press("c")
        assert number(it) == 3
        await it.press("a", *"7", "enter", "c")
        assert number(it) == 5
        for _ in STEPS:
            await it.press("f2")
        assert "That was the tour" in it.text
        await it.command("tour leave")
        assert number(it) is None
        await it.command("tour leave")
        assert "there is no tour to be left" in it.rows[-2]

    drive(bringup(), play)


def test_it_is_offered_once_to_who_is_new(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"

    async def is_told(it: Driver) -> None:
        await it.until(lambda: OFFER in it.text)
        await it.command("tour")
        assert number(it) == 0

    async def is_not_told(it: Driver) -> None:
        await it.press()
        assert OFFER not in it.text

    drive(bringup(), is_told, kept=Kept(path))
    assert path.exists()
    drive(bringup(), is_not_told, kept=Kept(path))
    drive(bringup(), is_not_told)  # nothing is kept at all


def test_other_guests_have_none(tmp_path: Path) -> None:
    async def play(it: Driver) -> None:
        assert OFFER not in it.text
        await it.press("f2")
        assert "the tour is of ap-bringup" in it.rows[-2]
        assert number(it) is None

    drive(spin(), play, kept=Kept(tmp_path / "screen.json"))
