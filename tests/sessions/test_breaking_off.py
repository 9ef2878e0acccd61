"""A way to another point that is broken off leaves everything where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

    Opened = Callable[..., Session]


@pytest.fixture
def travelled(opened: Opened) -> Session:
    """A machine with a past of three acts, in the middle of it, on small slices."""
    session = opened(cpus=2)
    for line in ("run", "answer 5", "run", "catch ipi", "goto 28000"):
        assert session.execute(line).ok
    session.timeline.slice = 1_000
    return session


@pytest.mark.parametrize(
    "line",
    ["goto 5", "goto end", "goto #3", "reverse-step", "reverse-continue",
     "last-write 0x12050", "branch main", "last-change vcpu 1 run_state"],
)  # fmt: skip
@pytest.mark.parametrize("calls", [1, 3])
def test_machine_and_timeline_are_as_before(
    line: str, calls: int, travelled: Session
) -> None:
    session, seen = travelled, []
    spot, digest = session.timeline.spot, Digester(session.machine).digest()

    def watch(way: Way) -> bool:
        seen.append(way)
        return len(seen) < calls

    outcome = session.execute(line, watch=watch)
    if 1 < calls > len(seen):
        assert outcome.ok  # it was shorter than that
        return
    assert not outcome.ok
    assert outcome.error.startswith("broken off at instruction ")
    assert outcome.error.endswith("the machine is where it was")
    assert session.timeline.spot == spot
    assert session.timeline.branch.name == "main"
    assert Digester(session.machine).digest() == digest
    assert len(session.machine.catches.items) == 1
    assert session.execute("goto end").ok
    assert session.timeline.at_end


def test_a_way_tells_how_much_of_it_is_done(travelled: Session) -> None:
    seen: list[Way] = []
    travelled.execute("goto start")

    def watch(way: Way) -> bool:
        seen.append(way)
        return True

    travelled.execute("goto 20000", watch=watch)
    shares = [way.percent for way in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert len(set(shares)) > 3
    seen.clear()
    travelled.execute("reverse-continue", watch=watch)
    assert {way.end for way in seen} == {None}  # it is looked for


@pytest.mark.parametrize(
    "line",
    ["goto 9000", "goto #20", "reverse-step", "reverse-continue", "goto end",
     "reverse-step 3000", "last-change vcpu 1 run_state", "goto #3"],
)  # fmt: skip
def test_a_way_tells_what_the_time_that_is_left_is_computed_from(
    line: str, travelled: Session
) -> None:
    """What is done grows to all that there is, which only ever turns out to be less."""
    seen: list[Way] = []
    travelled.timeline.slice = 300

    def watch(way: Way) -> bool:
        seen.append(way)
        return True

    assert travelled.execute(line, watch=watch).ok
    dones = [way.done for way in seen]
    assert dones == sorted(dones)
    shares = [way.percent for way in seen]
    assert shares == sorted(shares)
    for way in seen:
        assert 0 < way.done <= way.whole
        assert way.left == way.whole - way.done
    if seen[-1].end is not None:
        assert seen[-1].left == 0


def test_what_paces_a_run_breaks_off_a_way_too(travelled: Session) -> None:
    spot = travelled.timeline.spot
    outcome = travelled.execute("goto 5", pace=lambda _left: 0)
    assert not outcome.ok
    assert "broken off" in outcome.error
    assert travelled.timeline.spot == spot
