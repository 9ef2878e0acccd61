"""The events that a screen holds: the last ones, by number and by place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.events import Halted, Logged
from lapis_engine.machine.log import KEPT
from lapis_tui.past import SPARE, Past

HALTED = Halted(0, interrupts=True)


def events(first: int, count: int) -> list[Logged]:
    return [Logged(seq, seq, HALTED) for seq in range(first, first + count)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30_000), max_size=6), st.data())
def test_it_is_the_end_of_all_that_was_added(
    counts: list[int], data: st.DataObject
) -> None:
    past, whole = Past(), 0
    for count in counts:
        past.add(events(whole, count))
        whole += count
        assert len(past) == min(whole, KEPT)
        assert len(past._events) <= KEPT + SPARE, "memory stays what it is"
        assert past.next_seq == whole
    least = whole - len(past)
    if whole:
        assert (past[0].seq, past[-1].seq) == (least, whole - 1)
        at = data.draw(st.integers(0, len(past) - 1))
        assert past[at].seq == past[at - len(past)].seq == least + at
        assert past.index_of(least + at) == at
        assert [each.seq for each in past[at : at + 3]] == [
            *range(least + at, min(least + at + 3, whole))
        ]
        assert [each.seq for each in past[:-1][-2:]] == [
            *range(max(whole - 3, least), whole - 1)
        ]
        assert len(past.since(least + at)) == len(past) - at


def test_places_that_it_has_not_raise_and_before_the_first_is_the_first() -> None:
    past = Past(events(0, KEPT + 5))
    assert (past.index_of(0), past.index_of(4)) == (0, 0)
    for index in (KEPT, -KEPT - 1):
        try:
            past[index]
        except IndexError:
            continue
        raise AssertionError(index)


def test_it_begins_anew_with_no_more_than_it_keeps() -> None:
    past = Past(events(0, 10))
    past.begin(events(100, KEPT + 1))
    assert (past.generation, len(past), past[0].seq) == (1, KEPT, 101)
