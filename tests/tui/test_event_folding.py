"""The events pane: what repeats is folded, and a long search can be broken off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.screens import Driver, bringup, drive, look

from lapis_engine.events import Event, Halted, Logged, VectorDelivered, Woken
from lapis_sessions.views.folding import Folds, fold
from lapis_tui.blocks import event_filter
from lapis_tui.panes import event_rows
from lapis_tui.panes.event_rows import EventRows
from lapis_tui.panes.events import EventsPane
from lapis_tui.past import Past

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.view import View


def asked_again() -> Session:
    """Return a session in which a processor was sent the same two things 20 times."""
    session = bringup()
    for line in ["nmi 1", "ipi nmi --to 1 --from 0"] * 20:
        assert session.execute(line).ok
    return session


def spinning(*, keys: int = 0) -> list[Logged]:
    """Return a key, 100 rounds of a loop of three, and `keys` more keys."""
    rounds: list[Event] = [
        Halted(0, interrupts=True), Woken(0, "timer"), VectorDelivered(0, 0x20, 0),
    ]  # fmt: skip
    events: list[Event] = [
        Woken(1, "key"),
        *rounds * 100,
        *[Woken(1, f"key {n}") for n in range(keys)],
    ]
    return [Logged(n, n, event) for n, event in enumerate(events)]


def sifted(rows: EventRows, events: list[Logged]) -> View:
    """Let rows take all of some events."""
    view = replace(look(bringup()), events=Past(events), ahead=())
    while rows.sift(view):
        pass
    return view


def seqs(rows: EventRows) -> list[int]:
    return [each.seq for each in rows.everything]


def test_what_repeats_is_one_row_that_counts_and_opens() -> None:
    rows = EventRows()
    rows.fold(on=True)
    events = spinning(keys=2)
    view = sifted(rows, events)
    assert seqs(rows) == [0, 1, 2, 3, 301, 302]
    assert [rows.times(events[n]) for n in seqs(rows)] == [1, 100, 100, 100, 1, 1]
    assert rows.index(200) == 3, "an event that is folded is in the last row of its own"
    assert not rows.toggle(0)
    assert rows.toggle(2)
    assert seqs(rows) == [*range(303)]
    assert rows.is_open(events[1])
    assert not rows.is_open(events[2])
    assert rows.times(events[1]) == 1
    rows.sift(view)
    assert len(rows) == 303
    assert rows.toggle(200), "any event of a group closes it"
    assert seqs(rows) == [0, 1, 2, 3, 301, 302]


def test_a_row_is_that_of_the_cursor_where_a_search_would_find_it() -> None:
    for rows, on in ((EventRows(), True), (EventRows(), False)):
        rows.fold(on=on)
        sifted(rows, spinning(keys=2)[5:])
        for seq in (0, 4, 5, 6, 7, 107, 200, 301, 306, 307, 400):
            found = [row for row in range(len(rows)) if rows.is_at(row, seq)]
            assert found == [rows.index(seq)], seq


def test_an_open_group_that_grows_stays_open() -> None:
    rows = EventRows()
    rows.fold(on=True)
    sifted(rows, spinning()[:151])
    assert rows.toggle(3)
    assert seqs(rows) == [*range(151)]
    past = Past(spinning()[:151])
    view = replace(look(bringup()), events=past, ahead=())
    past.generation = rows._generation
    past.add(spinning()[151:])
    while rows.sift(view):
        pass
    assert seqs(rows) == [*range(301)]


KINDS = st.sampled_from([
    Halted(0, interrupts=True), Woken(0, "timer"), VectorDelivered(0, 0x20, 0),
    VectorDelivered(1, 0x20, 0), Woken(1, "key"),
])  # fmt: skip


@given(
    events=st.lists(KINDS, max_size=80),
    cuts=st.lists(st.integers(1, 30), max_size=6),
    open_=st.lists(st.integers(0, 80), max_size=4),
)
def test_folding_loses_nothing_in_whatever_pieces_it_comes(
    events: list[Event], cuts: list[int], open_: list[int]
) -> None:
    logged = [Logged(n, n, event) for n, event in enumerate(events)]
    folds, at = Folds(), 0
    for cut in [*cuts, len(logged)]:
        folds.take(logged[at : at + cut])
        at += cut
    assert [(r.logged.seq, r.times) for r in folds.rows] == [
        (r.logged.seq, r.times) for r in fold(logged)
    ]
    assert sum(row.times for row in folds.rows) == len(logged)
    closed = [each.seq for each in folds.shown(logged)]
    assert closed == [row.logged.seq for row in folds.rows]
    opened = [seq for seq in open_ if seq < len(logged) and folds.toggle(seq)]
    shown = [each.seq for each in folds.shown(logged)]
    assert shown == sorted(set(shown))
    assert set(closed) <= set(shown)
    assert sum(folds.times(seq) for seq in shown) == len(logged)
    for seq in opened:
        folds.toggle(seq)
    assert [each.seq for each in folds.shown(logged)] == closed


def test_a_flood_is_folded_a_part_at_a_time() -> None:
    rows = EventRows()
    rows.fold(on=True)
    count = 20 * event_rows.FOLDED
    flood = [Logged(n, n, VectorDelivered(0, n % 251, 0)) for n in range(count)]
    view = replace(look(bringup()), events=Past(flood), ahead=())
    frames = 1
    while rows.sift(view):
        assert rows.folds is not None
        assert rows.folds.next_seq <= frames * event_rows.FOLDED
        frames += 1
    assert frames == 20
    assert len(rows) == count


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_keys_fold_and_open(size: tuple[int, int]) -> None:
    session = asked_again()

    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("events")
        total = it.view.now.events_total
        await it.press("O")
        assert "events, us, folded" in it.text
        assert " times)" in it.text
        rows = it.app.query_one(EventsPane)._rows
        folded = len(rows)
        assert folded < total
        await it.press("o")
        assert "nothing is folded here" in it.text
        await it.press("up", "o")
        assert "(open)" in it.text
        assert len(rows) > folded
        await it.press("o")
        assert len(rows) == folded
        await it.press("O")
        assert "us, folded" not in it.text
        assert len(rows) == total

    drive(session, play, size)


def test_a_search_is_broken_off_by_a_key() -> None:
    async def play(it: Driver) -> None:
        shown = it.app.query_one(EventsPane)
        for key in ("escape", "ctrl+c"):
            await it.go("events")
            shown._hunted = shown._wanted = event_filter.compiled("nothing")
            await it.press(key)
            assert "'nothing': the search was broken off" in it.text
            assert not shown.break_off(), "there is none any more"
            assert it.app.focused is shown
        await it.press("escape")
        assert it.app.focused is not shown

    drive(bringup(), play)
