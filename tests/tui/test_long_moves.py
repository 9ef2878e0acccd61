"""Long moves say how far they are, and Ctrl-C stays where one was."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from rigs.screens import PATIENCE, Driver, drive, spin

from lapis_engine.replay.digest import Digester
from lapis_tui import worker
from lapis_tui.worker import Worker

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

WHOLE = 400_000
"""Instructions of the past that is gone through."""


class Gate:
    """Holds the session's thread on its way, after so many looks of the worker."""

    def __init__(self, patch: pytest.MonkeyPatch, looks: int) -> None:
        self.looks = looks
        self.ways: list[Way] = []
        self.is_held = threading.Event()
        self._goes_on = threading.Event()
        real = Worker._watch

        def watch(this: Worker, way: Way) -> bool:
            self.ways.append(way)
            goes_on = real(this, way)
            if len(self.ways) != self.looks:
                return goes_on
            self.is_held.set()
            assert self._goes_on.wait(PATIENCE)
            return real(this, way)

        patch.setattr(Worker, "_watch", watch)
        patch.setattr(worker, "SHORT_SECONDS", 0.0)
        patch.setattr(worker, "FRAME_SECONDS", 0.0)

    def go_on(self) -> None:
        self._goes_on.set()


def long_past(*lines: str) -> Session:
    """Return a session with a long past, gone through in small slices."""
    session = spin()
    for line in (f"run {WHOLE}", *lines):
        outcome = session.execute(line)
        assert outcome.ok, outcome.text
    session.timeline.slice = 5_000
    return session


BACK = (
    "reverse-continue", "last-change vcpu 0 run_state", "goto 50%", "diff here",
)  # fmt: skip
ON = ("play", "goto 350000")


@pytest.mark.parametrize("line", [*BACK, *ON])
def test_a_long_move_says_how_far_it_is_and_ctrl_c_breaks_it_off(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = ("goto 20000", "checkpoint here", "goto end")
    session = long_past(*begin, *(["goto 100000"] if line in ON else []))
    spot, digest = session.timeline.spot, Digester(session.machine).digest()
    gate = Gate(monkeypatch, 3)

    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type(line)
        it.key("enter")
        await it.until(gate.is_held.is_set)
        # The first of its looks shows before there is anything to reckon with.
        await it.until(lambda: "going, " in it.rows[1] and " s left" in it.rows[1])
        assert "Ctrl-C stays here" in it.rows[1]
        assert "%" in it.rows[1]
        it.key("s")  # is not done: the machine is on its way
        it.key("ctrl+c")
        await it.until(lambda: it.app._worker._broken == it.app._worker._issued)
        gate.go_on()
        await it.until(lambda: it.app.idle)
        await it.pilot.pause()
        assert "broken off" in it.text

    drive(session, play, (80, 25))
    shares = [way.percent for way in gate.ways]
    assert shares == sorted(shares)
    if line == "play":
        # It goes along as a run does, and stops as that does: where it is.
        assert spot.at.retired < session.timeline.spot.at.retired < WHOLE
    else:
        assert session.timeline.spot == spot
        assert Digester(session.machine).digest() == digest


def test_run_to_in_the_past_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = long_past("nmi 0")
    last = session.machine.log.next_seq - 1
    assert session.execute("goto start").ok
    gate = Gate(monkeypatch, 2)

    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type(f"run-to {last}")
        it.key("enter")
        await it.until(gate.is_held.is_set)
        await it.until(lambda: "going, " in it.rows[1])
        gate.go_on()
        await it.until(lambda: it.app.idle)
        assert it.view.now.events_total == last + 1

    drive(session, play, (80, 25))
