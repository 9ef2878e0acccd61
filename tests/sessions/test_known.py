"""What is known to come, and the place in the history that a screen is told.

The oracle of events is a machine of its own that is never put back.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import pytest
from rigs import recordings

from lapis_engine.machine.log import KEPT
from lapis_engine.replay.digest import Digester
from lapis_sessions.errors import TurnedBackError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_sessions.timeline import known as knowing
from lapis_sessions.timeline import learning
from lapis_sessions.timeline.known import Known
from lapis_sessions.views import history, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_engine.events import Logged
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], object]

LINES = "run", "answer 5", "run 3000", "nmi 1", "run 2000"


@pytest.fixture
def past(opened: Opened, done: Done) -> Session:
    session = opened(cpus=2)
    for line in LINES:
        done(session, line)
    return session


def _events(opened: Opened, *lines: str) -> list[Logged]:
    """All events of a machine to which this is done, and which is never put back."""
    session = opened(cpus=2)
    for line in lines:
        assert session.execute(line).ok
    return session.machine.log.since(0)


def test_what_came_after_is_known_after_going_back(
    past: Session, opened: Opened, done: Done
) -> None:
    seen = _events(opened, *LINES)
    assert past.timeline.ahead() == ()
    travels = past.timeline.travels
    for place in ("start", "7000", "#9", "start", "end", "#3"):
        done(past, f"goto {place}")
        assert past.timeline.travels > travels
        travels = past.timeline.travels
        here = past.timeline.spot.at.seq
        assert list(past.timeline.ahead()) == seen[here:]


def test_going_along_leaves_the_rest_ahead(past: Session, done: Done) -> None:
    done(past, "goto start")
    ahead = past.timeline.ahead()
    done(past, "run 5000")
    here = past.timeline.spot.at.seq
    assert past.timeline.ahead() == ahead[here - ahead[0].seq :]
    done(past, "run")
    assert past.timeline.at_end
    assert past.timeline.ahead() == ()


def test_a_fork_knows_what_went_before_it_only(
    past: Session, opened: Opened, done: Done
) -> None:
    done(past, "goto #12")
    travels = past.timeline.travels
    done(past, "nmi 0")
    done(past, "run 500")
    assert past.timeline.branch.name == "branch-1"
    assert past.timeline.travels > travels
    assert past.timeline.ahead() == ()
    at = past.timeline.branch.fork
    assert at is not None
    mine = past.machine.log.since(0)
    done(past, "goto start")
    main = _events(opened, *LINES)
    assert list(past.timeline.ahead()) == mine[past.timeline.spot.at.seq :]
    assert mine[: at.at.seq] == main[: at.at.seq]
    assert mine != main[: len(mine)]
    done(past, "branch main")
    done(past, "goto start")
    assert list(past.timeline.ahead()) == main[past.timeline.spot.at.seq :]
    assert past.timeline.known.count == len(main) + len(mine) - at.at.seq


def test_a_fork_of_a_fork_from_before_that_shares_with_the_first(
    past: Session, done: Done
) -> None:
    done(past, "goto #12")
    done(past, "nmi 0")
    done(past, "goto #6")
    done(past, "run 100")  # goes along
    done(past, "nmi 0")
    done(past, "run 900")
    assert past.timeline.branch.name == "branch-2"
    assert past.timeline.branch.parent == "branch-1"
    mine = past.machine.log.since(0)
    done(past, "goto start")
    assert list(past.timeline.ahead()) == mine[past.timeline.spot.at.seq :]


def test_what_a_fork_shares_outlives_the_branch_that_it_left(
    past: Session, done: Done
) -> None:
    past.timeline.most_branches = 3
    done(past, "goto 9000")
    done(past, "irq raise 4")
    done(past, "run 2000")
    done(past, "goto 9500")
    done(past, "nmi 0")
    mine = past.machine.log.since(0)
    done(past, "branch main")
    done(past, "goto 20")
    done(past, "nmi 1")
    assert list(past.timeline.branches) == ["main", "branch-2", "branch-3"]
    done(past, "branch branch-2")
    done(past, "goto start")
    assert list(past.timeline.ahead()) == mine[past.timeline.spot.at.seq :]


def test_what_was_refused_is_not_known(past: Session, done: Done) -> None:
    done(past, "goto #12")
    ahead = past.timeline.ahead()
    assert not past.execute("nmi 0", may_leave=False).ok
    assert past.timeline.ahead() == ahead


def test_nothing_is_kept_while_nobody_goes_back(past: Session) -> None:
    assert past.timeline.known.count == 0


def test_there_is_a_limit_and_what_comes_next_stays(
    past: Session, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowing, "KEPT", 10)
    done(past, "goto start")
    done(past, "goto end")
    done(past, "goto #20")
    assert [logged.seq for logged in past.timeline.ahead()][:3] == [21, 22, 23]
    assert past.timeline.known.count == 10
    for _ in range(7):
        done(past, "goto #12")
        done(past, "nmi 0")
        done(past, "run 500")
    assert past.timeline.known.count <= 10 * knowing.MOST_OF_ALL


def test_a_flood_of_events_is_known_up_to_the_limit(opened: Opened, done: Done) -> None:
    session = opened(cpus=2)
    for number in range(KEPT // 2 + 500):
        session.machine.inject_nmi(number % 2)
    done(session, "goto start")
    begun = perf_counter()
    ahead = session.timeline.ahead()
    assert perf_counter() - begun < 0.1
    assert len(ahead) <= KEPT
    assert session.timeline.known.count <= KEPT
    assert ahead[-1].seq == session.timeline.branch.end.at.seq - 1


# The place in the history.


def test_the_place_and_the_acts_around_it(past: Session, done: Done) -> None:
    def now() -> history.History:
        return snapshot.take(past).history

    end = past.timeline.spot.at
    there = now()
    assert (there.here, there.end, there.at_end) == (end, end, True)
    assert (there.done, there.acts) == (5, 5)
    assert [act.verb for act in there.window] == [
        "run", "answer", "run", "inject_nmi", "run",
    ]  # fmt: skip
    assert [act.number for act in there.window] == [1, 2, 3, 4, 5]
    assert all(act.done for act in there.window)
    assert there.window[0].reason == "exit"
    assert there.window[1].text.startswith("answer number=")
    assert "value=5" in there.window[1].text
    done(past, f"goto {there.window[2].begin.retired + 100}")
    there = now()
    assert (there.done, there.at_end) == (2, False)
    assert [act.done for act in there.window] == [True, True, False, False, False]
    done(past, "checkpoint here")
    done(past, "nmi 0")
    there = now()
    assert there.branch == "branch-1"
    assert there.named == (
        ("here", "main", there.here._replace(seq=there.named[0].at.seq)),
    )
    assert [(b.name, b.parent) for b in there.branches] == [
        ("main", ""), ("branch-1", "main"),
    ]  # fmt: skip
    assert there.branches[1].fork == there.named[0].at


def test_the_window_is_one_however_long_the_past_is(opened: Opened) -> None:
    session = opened(cpus=2)
    for number in range(500):
        session.machine.set_quantum(100 + number)
    session.timeline.go(session.timeline.branch.kept[0].spot._replace(done=250))
    there = history.take(session)
    assert there.done == 250
    assert there.window[0].number == 250 - history.AROUND + 1
    assert there.window[-1].number == 250 + history.AROUND


def test_notes_come_with_the_recording_and_with_annotate(
    tmp_path: Path, opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    path = tmp_path / "noted.lapis"
    start_recording(session, str(path))
    done(session, "run 4000")
    done(session, "annotate 'it runs' --ask 'who?' --answer 'vCPU 0'")
    done(session, "run")
    done(session, "annotate 'it asks'")
    live = history.take(session)
    session.close()
    again = replaying.session_of(reader.read(str(path)), recordings.extensions())
    there = history.take(again)
    assert [note[1:] for note in there.notes] == [note[1:] for note in live.notes]
    assert [note[1:4] for note in there.notes] == [
        (4000, "it runs", "who?"), (live.here.retired, "it asks", ""),
    ]  # fmt: skip
    assert not any(map(there.passed, there.notes))
    done(again, "goto 4000")
    there = history.take(again)
    assert [there.passed(note) for note in there.notes] == [True, False]
    done(again, "goto end")
    assert all(map(history.take(again).passed, there.notes))
    done(again, "goto 5000")
    done(again, "nmi 0")
    assert [note.text for note in history.take(again).notes] == ["it runs"]


def test_a_recorded_fork_is_known_to_have_left_its_parent(
    tmp_path: Path, opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    path = tmp_path / "forked.lapis"
    start_recording(session, str(path))
    for line in (*LINES, "goto 9000", "nmi 0", "run 700", "goto 3000", "nmi 1"):
        done(session, line)
    was = {name: branch.fork for name, branch in session.timeline.branches.items()}
    session.close()
    again = replaying.session_of(reader.read(str(path)), recordings.extensions())
    for name, branch in again.timeline.branches.items():
        before = was[name]
        assert (branch.fork is None) == (before is None)
        if before is not None and branch.fork is not None:
            assert branch.fork.at == before.at
    for name in ("main", "branch-1", "branch-2"):
        for machine in (session, again):
            done(machine, f"branch {name}")
            done(machine, "goto start")
        assert again.timeline.ahead() == session.timeline.ahead()


def test_it_costs_little_however_much_was_done(opened: Opened) -> None:
    """0.17 ms with 202,000 entries and 31 branches where 0.3 are allowed."""
    session = opened(cpus=2)
    for number in range(20_000):
        session.machine.set_quantum(100 + number % 9)
    costs = []
    for _ in range(20):
        begun = perf_counter()
        history.take(session)
        costs.append(perf_counter() - begun)
    assert min(costs) < 0.002


# Learning.


def _of_file(opened: Opened, done: Done, path: Path) -> Session:
    session = opened(cpus=2)
    start_recording(session, str(path))
    for line in LINES:
        done(session, line)
    session.close()
    return replaying.session_of(reader.read(str(path)), recordings.extensions())


def test_what_a_recording_holds_can_be_learned_from_any_point_of_it(
    tmp_path: Path, opened: Opened, done: Done
) -> None:
    again = _of_file(opened, done, tmp_path / "a.lapis")
    seen = _events(opened, *LINES)
    assert learning.is_short(again.timeline)
    assert again.timeline.ahead() == ()
    for place in ("start", "#15"):
        done(again, f"goto {place}")
        spot = again.timeline.spot
        digest = Digester(again.machine).digest()
        again.timeline.known = Known(again.machine.log, again.timeline.branches)
        assert learning.learn(again.timeline) == len(seen) - spot.at.seq
        assert list(again.timeline.ahead()) == seen[spot.at.seq :]
        assert (again.timeline.spot, Digester(again.machine).digest()) == (spot, digest)
    done(again, "goto end")
    assert learning.learn(again.timeline) == 0


def test_only_what_is_kept_of_a_branch_is_learned_and_that_is_what_comes_next(
    tmp_path: Path, opened: Opened, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (knowing, learning):
        monkeypatch.setattr(module, "KEPT", 10)
    again = _of_file(opened, done, tmp_path / "a.lapis")
    begin = again.timeline.spot.at.seq
    assert learning.learn(again.timeline) == 10
    known = again.timeline.ahead()
    assert [each.seq for each in known] == list(range(begin, begin + 10))


def test_learning_that_is_broken_off_leaves_everything_where_it_was(
    tmp_path: Path, opened: Opened, done: Done
) -> None:
    again = _of_file(opened, done, tmp_path / "a.lapis")
    done(again, "goto 3000")
    again.timeline.slice = 1_000
    spot, digest = again.timeline.spot, Digester(again.machine).digest()
    seen: list[Way] = []

    def watch(way: Way) -> None:
        seen.append(way)
        if len(seen) == 4:
            raise TurnedBackError("enough")

    again.timeline.on_way = watch
    with pytest.raises(TurnedBackError):
        learning.learn(again.timeline)
    again.timeline.on_way = None
    assert (again.timeline.spot, Digester(again.machine).digest()) == (spot, digest)
    assert [way.percent for way in seen] == sorted(way.percent for way in seen)
    assert 0 < seen[-1].left < seen[0].left
    known = list(again.timeline.ahead())
    assert known == _events(opened, *LINES)[spot.at.seq :][: len(known)]
