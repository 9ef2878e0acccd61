"""Repetitions in the stream of events are told once and counted."""

from lapis_engine.events import Event, Halted, Logged, TimerArmed, Woken
from lapis_sessions.views.folding import fold

HALT, TICK, KEY = Halted(0, interrupts=True), Woken(0, "timer"), Woken(0, "key")


def folded(*events: Event) -> list[tuple[int, int]]:
    return [
        (row.logged.seq, row.times)
        for row in fold(Logged(n, n * 10, event) for n, event in enumerate(events))
    ]


def test_nothing_folds_where_nothing_repeats() -> None:
    assert folded(HALT, TICK, KEY) == [(0, 1), (1, 1), (2, 1)]
    assert folded() == []


def test_one_event_repeated_becomes_one() -> None:
    assert folded(HALT, HALT, HALT) == [(0, 3)]


def test_a_group_folds_as_a_whole_and_what_follows_stays() -> None:
    assert folded(KEY, HALT, TICK, HALT, TICK, HALT, KEY) == [
        (0, 1), (1, 2), (2, 2), (5, 1), (6, 1),
    ]  # fmt: skip


def test_an_event_elsewhere_is_another_event() -> None:
    assert folded(HALT, Halted(1, interrupts=True)) == [(0, 1), (1, 1)]


def test_a_timer_armed_again_is_the_same_whenever_it_is_due() -> None:
    assert folded(TimerArmed(0, 10), TimerArmed(0, 20)) == [(0, 2)]
    assert folded(TimerArmed(0, 10), TimerArmed(0, None)) == [(0, 1), (1, 1)]
