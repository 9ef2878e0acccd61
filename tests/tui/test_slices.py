"""Slices of a run: what a break waits for."""

from __future__ import annotations

import sys

from rigs.screens import Driver, drive, spin

from lapis_sessions.slices import (
    FIRST_SLICE,
    LARGEST_SLICE,
    SLICE_SECONDS,
    SMALLEST_SLICE,
    fitting,
)


def test_a_slice_that_was_too_long_becomes_short_at_once() -> None:
    assert fitting(20_000, 50 * SLICE_SECONDS) == 400
    assert fitting(1000, 2 * SLICE_SECONDS) == 500
    assert fitting(1000, 1e6) == SMALLEST_SLICE


def test_a_slice_that_was_short_becomes_longer_by_and_by_and_one_that_fits_stays() -> (
    None
):
    assert fitting(1000, SLICE_SECONDS / 4) == 2000
    assert fitting(LARGEST_SLICE, 0.0) == LARGEST_SLICE
    assert fitting(1000, 0.75 * SLICE_SECONDS) == 1000


def test_a_run_begins_with_what_the_one_before_it_found() -> None:
    async def play(it: Driver) -> None:
        given: list[int] = []
        pace = it.app._worker._pace

        def seen(left: int) -> int:
            given.append(pace(left))
            return given[-1]

        it.app._worker._pace = seen  # type: ignore[method-assign]
        await it.command("run 5000000")
        first, last = given[0], given[-1]
        assert first == FIRST_SLICE
        assert max(given) > first, "a guest that does not exit is run in long slices"
        given.clear()
        await it.command("run 5000000")
        assert given[0] >= min(last, it.app._worker._slice) > first

    drive(spin(), play)


def test_a_guest_that_runs_does_not_keep_the_program_from_ending() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.app.exit()

    drive(spin(), play)  # pictures come while the screen is taken apart


def test_the_interpreter_is_shared_finely_while_a_session_is_shown() -> None:
    before = sys.getswitchinterval()

    async def play(it: Driver) -> None:
        assert it.app.busy
        assert sys.getswitchinterval() < before

    drive(spin(), play)
    assert sys.getswitchinterval() == before
