"""Focus: a layout begins in its first pane, whatever was before, and however fast."""

from __future__ import annotations

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_tui.kept import Kept
from lapis_tui.layouts import LAYOUTS, PLUGGED
from lapis_tui.splits import names

SIZES = [(80, 25), (120, 40), (200, 60)]
SHOWN = [each for each in LAYOUTS if each.first not in {PLUGGED, "terminal"}]
"""Those with a pane of ours; what is typed in the terminal goes to the guest."""


def focused(it: Driver) -> str:
    return it.app.main.focused_name


@pytest.mark.parametrize("size", SIZES)
def test_each_layout_begins_in_its_first_pane_after_another(
    size: tuple[int, int],
) -> None:
    async def play(it: Driver) -> None:
        for one in (*SHOWN, *reversed(SHOWN)):
            if it.app.main.layout_ is not one:
                await it.press("tab", one.key)
            assert focused(it) == one.first, one.name

    drive(bringup(), play, size)


@pytest.mark.parametrize("size", SIZES)
def test_tab_comes_to_every_pane_of_a_layout_and_back(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        for layout in SHOWN:
            if it.app.main.layout_ is not layout:
                await it.press(layout.key)
            tree = layout.fitting(*size).tree
            there = [n for n in names(tree) if it.app.query_one(f"#{n}").can_focus]
            for step, by in (("tab", 1), ("shift+tab", -1)):
                for _ in there:
                    at = there.index(focused(it))
                    await it.press(step)
                    assert focused(it) == there[(at + by) % len(there)], layout.name

    drive(bringup(), play, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_burst_of_keys_ends_in_the_first_pane_of_the_last(
    size: tuple[int, int],
) -> None:
    async def play(it: Driver) -> None:
        for burst in ("27", "2727", "1tz7", "1c7", "3bi7"):
            await it.press("1")
            for key in burst:
                it.key("tab" if key == "t" else key)
            await it.until(lambda: it.app.idle and not it.app.message_queue_size)
            await it.press()
            assert it.app.main.layout_.name == "timeline", burst
            assert focused(it) == "events", burst
            await it.press("s")
            assert focused(it) == "events", burst

    drive(bringup(), play, size)


@pytest.mark.parametrize("size", SIZES)
def test_the_layout_that_was_kept_begins_in_its_first_pane(
    size: tuple[int, int],
) -> None:
    async def play(it: Driver) -> None:
        assert focused(it) == "events"
        await it.press("7")
        assert focused(it) != "events", "the same key again goes on to the next pane"

    kept = Kept()
    kept.choose("timeline")
    drive(bringup(), play, size, kept)
