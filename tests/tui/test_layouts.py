"""Layouts: every cell of the screen belongs to one pane, on a screen of any size."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive

from lapis_tui.blocks import vcpu_columns
from lapis_tui.layouts import LAYOUTS, Layout, needs, with_plugged
from lapis_tui.splits import Box, Need, Places, Sharing, by_weight, names, share

PLUGGED = ("plugged-0", "plugged-1")


def placed(
    layout: Layout, width: int, height: int, pending: int = 0, cpus: int = 2
) -> Places:
    fitting = vcpu_columns.fitting(width, height, cpus)
    sharing = Sharing(needs(pending, cpus > fitting, PLUGGED), {}, {})
    tree = with_plugged(layout.fitting(width, height).tree, PLUGGED)
    return sharing.place(tree, Box(0, 0, width, height))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda each: each.name)
@pytest.mark.parametrize("pending", [0, 1, 5])
def test_every_cell_belongs_to_one_pane_or_rule(layout: Layout, pending: int) -> None:
    for width, height in product(range(40, 240, 13), (6, 12, 20, 21, 26, 36, 56, 90)):
        seen: dict[tuple[int, int], str] = {}
        places = placed(layout, width, height, pending)
        for name, box in places.boxes.items():
            for cell in product(
                range(box.x, box.x + box.width), range(box.y, box.y + box.height)
            ):
                assert cell not in seen, (name, seen[cell], width, height)
                seen[cell] = name
        rules = {
            (d.box.x, y)
            for d in places.dividers
            if d.way == "columns"
            for y in range(d.box.y, d.box.y + d.box.height)
        }
        assert not rules & seen.keys()
        assert len(rules) + len(seen) == width * height


def test_eighty_by_twenty_five_has_every_pane_that_a_step_is_about() -> None:
    boxes = placed(LAYOUTS[0], 80, 21, pending=1).boxes
    assert [*boxes] == ["vcpus", "apics", "pending", "events"]
    assert boxes["vcpus"].height >= 11
    assert boxes["apics"].height == 6


def test_a_wide_screen_shows_events_console_and_results_at_once() -> None:
    for width in (100, 120, 200):
        assert {"events", "console", "results"} <= placed(
            LAYOUTS[0], width, 36
        ).boxes.keys()


def test_a_low_pane_sets_the_disassembly_beside_the_registers() -> None:
    assert vcpu_columns.fitting(120, 16, 2) == 1
    assert vcpu_columns.fitting(120, 20, 2) == 2


@given(
    room=st.integers(0, 200),
    parts=st.lists(
        st.builds(Need, st.integers(0, 30), st.integers(0, 60), st.floats(0, 4)),
        min_size=1,
        max_size=6,
    ),
)
def test_rows_are_given_out_once_whatever_is_needed(
    room: int, parts: list[Need]
) -> None:
    sizes = share(room, parts)
    assert sum(sizes) == room
    assert min(sizes) >= 0
    if room >= sum(part.least for part in parts):
        assert all(s >= p.least for s, p in zip(sizes, parts, strict=True))


@given(
    room=st.integers(0, 300),
    weights=st.lists(st.floats(0.01, 9), min_size=1, max_size=5),
)
def test_columns_are_given_out_once(room: int, weights: list[float]) -> None:
    sizes = by_weight(room, weights)
    assert sum(sizes) == room
    assert min(sizes) >= 0


def test_a_divider_moves_the_parts_beside_it_and_no_other() -> None:
    layout = LAYOUTS[0]
    before = placed(layout, 120, 36)
    divider = next(d for d in before.dividers if d.way == "rows" and d.part == 0)
    sharing = Sharing(needs(0, False, ()), {}, {divider.path: divider.moved(-3)})
    after = sharing.place(layout.fitting(120, 40).tree, Box(0, 0, 120, 36))
    assert after.boxes["vcpus"].height == before.boxes["vcpus"].height - 3
    assert after.boxes["events"] == before.boxes["events"]


def test_no_pane_stands_twice_in_a_tree_and_keys_are_used_once() -> None:
    assert len({each.key for each in LAYOUTS}) == len(LAYOUTS)
    for layout in LAYOUTS:
        for drawn in layout.drawn:
            there = [*names(drawn.tree)]
            assert len(there) == len(set(there)), (layout.name, there)


def test_the_border_says_what_is_behind_a_pane_and_tab_goes_there() -> None:
    async def play(it: Driver) -> None:
        row = next(row for row in it.rows if "─events" in row)
        assert "Tab: results console" in row
        await it.press("c")
        await it.go("results")
        row = next(row for row in it.rows if "━commands" in row)
        assert "Tab: events console" in row
        await it.press("tab")
        assert any("━guest console" in row for row in it.rows)

    drive(bringup(), play, (80, 25))
