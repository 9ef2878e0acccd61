"""Cycles are collected when nobody waits, and the rest of Python is left as it was."""

from __future__ import annotations

import gc

from lapis_tui.garbage import EVERY_SECONDS, QUIET_SECONDS, Rest, seldom


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_thresholds_come_back_and_nothing_stays_set_aside() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with seldom():
        assert gc.get_threshold()[2] > before[2]
        assert gc.get_freeze_count() > frozen
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_a_cycle_goes_when_it_has_been_quiet_for_a_while_and_not_before() -> None:
    clock = Clock()
    rest = Rest(clock)
    assert not rest.look(1, is_busy=True)
    clock.now += EVERY_SECONDS
    assert not rest.look(1, is_busy=True), "somebody waits"
    clock.now += QUIET_SECONDS - 0.1
    assert not rest.look(1, is_busy=False), "it was busy just now"
    cycle: list[object] = []
    cycle.append(cycle)
    clock.now += 0.2
    assert rest.look(1, is_busy=False)
    clock.now += 10 * EVERY_SECONDS
    assert not rest.look(1, is_busy=False), "nothing has gone on since"
    assert not rest.look(2, is_busy=False), "a key came between two looks"
    clock.now += QUIET_SECONDS
    assert rest.look(2, is_busy=False)
