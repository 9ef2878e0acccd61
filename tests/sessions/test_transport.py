"""Going along what was done, to acts, moments and events, and forking on purpose.

The oracle is the history itself: digests that were seen when it was made, and a machine
of its own that only goes forward.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from rigs import machines, recordings

from lapis_engine.events import InitReceived, IpiSent, ModeChanged, VectorEnded
from lapis_engine.replay.digest import Digester
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

LINES = "run", "answer 5", "run 300", "quantum 50", "nmi 1", "run 200"


def _digest(session: Session) -> str:
    return Digester(session.machine).digest()


@pytest.fixture
def past(opened: Opened, done: Done) -> Session:
    session = opened(cpus=2)
    for line in LINES:
        done(session, line)
    return session


# Acts.


def test_play_goes_from_act_to_act(past: Session, done: Done) -> None:
    ends = [entry.end for entry in past.timeline.branch.entries]
    last = _digest(past)
    done(past, "goto start")
    for number, end in enumerate(ends[:-1], 1):
        told = done(past, "play 1")
        assert (told["stop"], told["text"].partition(";")[0]) == ("played", "1 act")
        assert past.timeline.spot.at == end
        assert done(past, "acts")["done"] == number
    assert done(past, "play 1")["stop"] == "end-of-branch"
    assert _digest(past) == last
    done(past, "goto 12345")
    done(past, "play 1")  # one that is begun counts
    assert past.timeline.spot.at == ends[0]
    done(past, "goto 12345")
    assert done(past, "play 3")["text"].startswith("3 acts; as recorded: answer")
    assert done(past, "acts")["done"] == 3
    assert done(past, "play")["stop"] == "end-of-branch"
    assert _digest(past) == last
    assert [*past.timeline.branches] == ["main"]


def test_play_stops_at_the_stops_of_the_user(past: Session, done: Done) -> None:
    done(past, "catch init")
    done(past, "goto start")
    told = done(past, "play")
    assert (told["stop"], told["vcpu"]) == ("catch", 1)
    assert told["text"].startswith("catch 1, init: INIT from vCPU 0")
    assert done(past, "play")["stop"] == "end-of-branch"


def test_at_the_end_there_is_nothing_to_play(past: Session, done: Done) -> None:
    digest = _digest(past)
    told = done(past, "play")
    assert told["stop"] == "end-of-branch"
    assert told["text"] == "main ends here: nothing is recorded ahead"
    assert (_digest(past), past.timeline.branch.name) == (digest, "main")


def test_goto_act_is_right_after_it(
    past: Session, done: Done, refused: Refused
) -> None:
    entries = past.timeline.branch.entries
    for number in (0, 4, 1, 6, 2):
        at = entries[number - 1].end if number else entries[0].start
        done(past, f"goto act {number}")
        assert past.timeline.spot.at == at
        assert done(past, "acts")["done"] == number
    assert refused(past, "goto act 7") == "goto act 7: main has 6 acts"
    assert "needs a NUMBER" in refused(past, "goto act")


def test_acts_mark_where_one_is(past: Session, done: Done) -> None:
    done(past, "goto act 2")
    told = done(past, "acts")
    assert (told["done"], told["total"], told["at_end"]) == (2, 6, False)
    assert [row["verb"] for row in told["acts"]] == [
        "run", "answer", "run", "set_quantum", "inject_nmi", "run",
    ]  # fmt: skip
    assert [row["done"] for row in told["acts"]] == [True] * 2 + [False] * 4
    text = past.execute("acts").text.splitlines()
    assert [row[:1] for row in text] == [" ", " ", ">", " ", " ", " ", "2"]
    assert len(done(past, "acts 3")["acts"]) == 3


# Moments.


def _points(session: Session, last: int) -> list[Any]:
    """Return where so many instructions had retired for the first time, for each."""
    found = []
    for retired in range(last + 1):
        session.timeline.go(session.timeline.branch.spot_of(retired))
        found.append(session.timeline.spot.at)
    return found


def test_goto_a_moment_is_the_last_point_at_or_before_it(
    opened: Opened, done: Done, refused: Refused
) -> None:
    """The timer guest sleeps: much time goes by between two instructions."""
    session = opened(str(machines.GUESTS / "timer.bin"), cpus=1)
    done(session, "run 400")
    end = session.timeline.spot.at
    points = [tuple(at) for at in _points(session, end.retired)]
    rng = Random(3)
    for now in [0, end.now, *(rng.randrange(end.now + 1) for _ in range(40))]:
        where = done(session, f"goto {now}ns")
        assert where["now"] <= now
        before = max(point for point in points if point[2] <= now)
        assert (where["retired"], where["event"]) >= before[:2]
        # Nothing lies between: the next event or instruction comes later than that.
        if where["now"] < end.now:
            after = [point for point in points if point[0] == where["retired"] + 1]
            assert all(point[2] > now for point in after)
            later = [
                logged for logged in session.timeline.ahead()
                if logged.seq >= where["event"]
            ]  # fmt: skip
            assert not later or later[0].at >= where["now"]
    ms = f"{end.now / 1e6:.6f}ms"
    assert done(session, f"goto {ms}")["at_end"]
    assert "main goes from 0 to" in refused(session, "goto 1000s")


# Events.


def test_next_and_previous_go_from_event_to_event(past: Session, done: Done) -> None:
    log = past.machine.log.since(0)
    for kind, record, vcpu in (
        ("ipi", IpiSent, 0), ("eoi", VectorEnded, 1), ("init", InitReceived, 1),
        ("mode", ModeChanged, 1),
    ):  # fmt: skip
        wanted = [
            e for e in log if isinstance(e.event, record) and e.event.vcpu == vcpu
        ]
        done(past, "goto start")
        seen = []
        while (told := done(past, f"next-event {kind} --vcpu {vcpu}"))["found"]:
            assert (told["stop"], told["event"]) == ("catch", kind)
            seen.append(past.timeline.spot.at.seq)
        assert told["stop"] == "end-of-branch"
        assert told["text"].startswith(f"no {kind} event on vCPU {vcpu} before this: ")
        # Some come at once: then one stop is for all of them.
        assert {e.seq for e in wanted if e.seq < seen[0]} == {wanted[0].seq}
        assert seen == sorted(set(seen))
        assert len(seen) <= len(wanted)
        back = []
        while past.execute(f"previous-event {kind} --vcpu {vcpu}").ok:
            back.append(past.timeline.spot.at.seq)
        assert back == [seq for seq in reversed(seen) if seq < log[-1].seq + 1]
    assert past.machine.catches.items == []
    assert past.timeline.branch.name == "main"


def test_no_catch_is_left_behind_and_the_numbers_of_the_user_stay(
    past: Session, done: Done, refused: Refused
) -> None:
    done(past, "goto start")
    done(past, "next-event sipi")
    assert done(past, "catch") == []
    assert "9" in refused(past, "next-event sipi --vcpu 9")
    assert done(past, "catch") == []
    assert [row["number"] for row in done(past, "catch eoi")] == [1]


def test_live_it_runs(opened: Opened, done: Done) -> None:
    session = opened(cpus=2)
    assert done(session, "next-event halt --vcpu 1")["text"] == "halt: HLT with IF=1"
    session.limit = 100
    told = done(session, "next-event lint")
    assert (told["found"], told["text"]) == (
        False, "no lint event before this: read 4 bytes at 0xd0000000",
    )  # fmt: skip


def test_an_answer_on_the_way_is_the_recorded_one(past: Session, done: Done) -> None:
    done(past, "goto act 1")
    told = done(past, "next-event nmi")
    assert "as recorded: answer, set_quantum, inject_nmi" in told["text"]
    assert past.timeline.branch.name == "main"


# Forks.


def test_a_fork_on_purpose_is_gone_on_without_a_question(
    past: Session, done: Done, refused: Refused
) -> None:
    main = _digest(past)
    done(past, "goto act 3")
    here = _digest(past)
    place = done(past, "fork")
    assert (place["branch"], place["at_end"]) == ("branch-1", True)
    assert past.execute("nmi 0", may_leave=False).ok
    assert past.notices == []
    done(past, "goto start")
    done(past, "goto act 3")
    assert _digest(past) == here
    assert done(past, "play")["text"].startswith("end of branch-1")
    done(past, "branch main")
    assert _digest(past) == main
    place = done(past, "fork try")  # at the end of a branch, too
    assert (place["branch"], place["retired"]) == ("try", place["end"])
    assert refused(past, "fork try") == "there is a branch 'try' already"
    done(past, "goto start")
    assert done(past, "play")["text"].startswith("end of try")
    assert _digest(past) == main
    for number in (1, 2):
        done(past, "fork")
        assert past.timeline.branch.name == f"branch-{number + 1}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_forks_on_which_nothing_was_done_are_recorded(
    when: str, tmp_path: Path, past: Session, done: Done
) -> None:
    path = tmp_path / "empty.lapis"
    if when == "before":
        start_recording(past, str(path))
    done(past, "goto act 3")
    done(past, "fork left")
    done(past, "goto 5000")
    done(past, "fork here")
    if when == "after":
        start_recording(past, str(path))
    done(past, "annotate 'nothing yet'")
    past.close()
    assert recordings.verify(path).divergence is None
    again = replaying.session_of(reader.read(str(path)), recordings.extensions())
    for name, branch in past.timeline.branches.items():
        assert again.timeline.branches[name].end.at == branch.end.at
        fork = again.timeline.branches[name].fork
        assert (fork and fork.at) == (branch.fork and branch.fork.at)
    assert [note.text for note in again.timeline.branches["here"].notes] == [
        "nothing yet"
    ]


# Read only.


def test_what_is_read_only_refuses_what_was_not_done_until_fork(
    past: Session, done: Done, refused: Refused
) -> None:
    past.read_only = True
    for place in ("goto end", "goto act 3", "goto 5000"):
        done(past, place)
        before = past.timeline.spot, _digest(past), past.machine.log.next_seq
        for line in ("nmi 0", "ipi init --to 1", "sched lockstep"):
            assert "fork goes on from here" in refused(past, line)
            assert not past.execute(line, may_leave=False).leaves
            now = past.timeline.spot, _digest(past), past.machine.log.next_seq
            assert now == before
    done(past, "goto end")
    assert "read only" in refused(past, "run")
    done(past, "checkpoint a")  # what does nothing to the machine is no act
    done(past, "goto act 1")
    for line in ("answer 5", "run 300", "quantum 50", "nmi 1", "run"):
        done(past, line)  # what was done then
    assert past.timeline.at_end
    assert [*past.timeline.branches] == ["main"]
    done(past, "fork")
    done(past, "nmi 0")
    assert past.timeline.branch.name == "branch-1"
    assert not past.read_only


# Breaking off.


@pytest.mark.parametrize(
    "line",
    ["branch other", "goto 20us", "goto act 1", "previous-event init", "events learn",
     "previous-event eoi"],
)  # fmt: skip
@pytest.mark.parametrize("calls", [1, 4])
def test_a_way_to_a_point_that_is_broken_off_leaves_all_as_it_was(
    line: str, calls: int, past: Session, done: Done
) -> None:
    for each in ("goto 9000", "fork other", "run 5000", "branch main", "goto 28810"):
        done(past, each)
    past.timeline.slice = 1_000
    spot, digest = past.timeline.spot, _digest(past)
    seen: list[Way] = []

    def watch(way: Way) -> bool:
        seen.append(way)
        return len(seen) < calls

    outcome = past.execute(line, watch=watch)
    assert (past.timeline.branch.name == "main") == (not outcome.ok or line[:1] != "b")
    if len(seen) < calls:
        return  # it was shorter than that
    assert not outcome.ok
    assert (past.timeline.spot, _digest(past)) == (spot, digest)
    shares = [way.percent for way in seen]
    assert shares == sorted(shares)
    assert past.machine.catches.items == []


@pytest.mark.parametrize("line", ["play", "play 1", "next-event eoi"])
def test_going_along_that_is_broken_off_stays_where_it_stopped(
    line: str, past: Session, done: Done
) -> None:
    last = _digest(past)
    done(past, "goto start")
    past.timeline.slice = 1_000
    seen: list[Way] = []

    def watch(way: Way) -> bool:
        seen.append(way)
        return len(seen) < 4

    told = past.execute(line, pace=lambda left: min(left, 2_000), watch=watch)
    assert told.ok
    assert told.result["stop"] == "budget"
    assert "broken off" in told.result["text"]
    assert past.timeline.spot.at.retired == 6_000
    assert [way.done for way in seen] == [0, 2_000, 4_000, 6_000]
    end = past.timeline.branch.entries[0].end if line == "play 1" else None
    whole = (end or past.timeline.branch.end.at).retired
    assert {way.whole for way in seen} == {whole}
    done(past, "play")
    assert _digest(past) == last


# A recording.


def test_a_replay_that_is_gone_along_ends_as_verify_says(
    tmp_path: Path, done: Done
) -> None:
    path = tmp_path / "a.lapis"
    recordings.record(path)
    verdict = recordings.verify(path)
    assert verdict.divergence is None
    for lines in (["play"], ["run"], ["play 3", "goto 50%", "play"],
                  ["events learn", "next-event fault", "play"]):  # fmt: skip
        again = replaying.session_of(reader.read(str(path)), recordings.extensions())
        again.read_only = True
        for line in lines:
            last = done(again, line)
        assert last["stop"] == "end-of-branch"
        assert again.timeline.spot.at.retired == verdict.retired
        assert _digest(again) == verdict.digest


# Whatever is done.

GUEST = str(machines.GUESTS / "fabric-nesting.bin")
ACTS = (
    "run 40", "run 150", "run 700", "step", "step 7", "nmi 0", "quantum 3",
    "quantum 90", "irq pulse 4", "ipi fixed 0x41 --to 0 --from 0", "sched lockstep",
    "answer 1 0",
)  # fmt: skip
MOVES = (
    "goto 10%", "goto 50%", "goto start", "goto end", "goto act 2", "goto 700ns",
    "play 1", "play", "next-event deliver", "previous-event eoi", "fork", "branch main",
    "reverse-step", "goto #5", "goto 90%", "branch branch-1",
)  # fmt: skip


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(st.lists(st.sampled_from(ACTS + MOVES), min_size=4, max_size=24), st.data())
def test_to_go_back_and_play_comes_to_what_was(
    lines: list[str], data: st.DataObject
) -> None:
    session = open_session(SessionOptions(GUEST, cpus=1), recordings.extensions())
    session.limit = 2_000
    timeline = session.timeline
    ends: dict[str, tuple[str, list[Any]]] = {}
    for line in lines:
        session.execute(line)
        if timeline.at_end:
            ends[timeline.branch.name] = _digest(session), session.machine.log.since(0)
    for name, (digest, log) in ends.items():
        assert session.execute(f"branch {name}").ok
        share = data.draw(st.integers(0, 100))
        assert session.execute(f"goto {share}%").ok
        seq = timeline.spot.at.seq
        known = list(timeline.ahead())
        if len(log) == timeline.branch.end.at.seq:  # the log of then holds all of it
            assert known == [each for each in log if each.seq >= seq]
        session.execute("play")
        assert timeline.at_end
        assert _digest(session) == digest
        happened = session.machine.log.since(0)
        assert known == [each for each in happened if each.seq >= seq]
