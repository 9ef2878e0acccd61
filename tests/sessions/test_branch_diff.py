"""The command `diff`, held against what `lapis session diff` says of the recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import machines, recordings
from rigs.session_files import DEVICES

from lapis_engine.replay.digest import Digester
from lapis_sessions.errors import TurnedBackError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.compare import branches, diff
from lapis_sessions.recording.compare.branches import BranchPoint
from lapis_sessions.recording.compare.diff import Side
from lapis_sessions.recording.play import named
from lapis_sessions.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.timeline.way import Way

Opened = Callable[..., Session]


def told(session: Session, line: str) -> dict[str, Any]:
    """Return the JSON of a command."""
    outcome = session.execute(line)
    assert outcome.ok, outcome.text
    found: dict[str, Any] = json.loads(json.dumps(outcome.result))
    return found


def do(session: Session, *lines: str) -> Session:
    """Do commands that must not fail."""
    for line in lines:
        outcome = session.execute(line)
        assert outcome.ok, (line, outcome.text)
    return session


FORKED = ("run", "goto 15000", "nmi 0", "run 1000")
"""Leaves branch-1, which forked in the middle of a run of main."""


def test_two_branches_part_where_their_recordings_do(
    opened: Opened, tmp_path: Path
) -> None:
    session = opened()
    path = tmp_path / "both.lapis"
    do(session, f"record start {path}", *FORKED)
    view = told(session, "diff main")
    do(session, "record stop")
    one, other = named.find(f"{path}@branch-1"), named.find(f"{path}@main")
    found = diff.compare(Side(one), Side(other), DEVICES)
    assert found.events is not None
    assert not view["equal"]
    first = view["first"]
    assert first["seq"] == found.events.seq
    for mine, its in ((first["a"], found.events.a), (first["b"], found.events.b)):
        assert its is not None
        assert (mine["seq"], mine["at"]) == (its.seq, its.at)
        assert mine["kind"] == its.event.kind
    assert [row["seq"] for row in first["before"]] == [
        each.seq for each in found.events.before
    ]
    assert (view["retired"], view["a"]["act"], view["b"]["act"]) == (15_000, 2, 1)
    assert view["a"]["text"].startswith("inject_nmi")
    assert view["b"]["text"].startswith("run")


def test_the_states_are_those_at_both_points(opened: Opened) -> None:
    session = do(opened(), *FORKED)
    here = Digester(session.machine).fields()
    view = told(session, "diff main")
    assert Digester(session.machine).fields() == here, "it stays where it was"
    do(session, "branch main")
    there = Digester(session.machine).fields()
    wanted = {
        name
        for name in here.keys() | there.keys()
        if here.get(name) != there.get(name) and not name.startswith("memory")
    }
    rows = {row["field"]: row for row in view["fields"]}
    assert {name for name in rows if not name.startswith("memory")} == wanted
    assert rows["vcpu0.rip"]["a"] == here["vcpu0.rip"]
    assert rows["vcpu0.rip"]["b"] == there["vcpu0.rip"]
    for name, row in rows.items():
        if not name.startswith("memory") or " to " in name:
            continue
        gpa = int(name.removeprefix("memory "), 16)
        assert session.machine.read_physical(gpa, 8).hex(" ") == row["b"]


def test_either_way_round_it_is_the_same(opened: Opened) -> None:
    session = do(opened(), *FORKED)
    one = told(session, "diff main")
    do(session, "branch main")
    other = told(session, "diff branch-1")
    assert (one["a"], one["b"]) == (other["b"], other["a"])
    assert one["first"]["a"] == other["first"]["b"]
    assert [(r["field"], r["a"], r["b"]) for r in one["fields"]] == [
        (r["field"], r["b"], r["a"]) for r in other["fields"]
    ]


def test_a_named_point_of_the_same_branch_and_the_same_point(opened: Opened) -> None:
    session = do(opened(), "run 10000", "checkpoint mid", "run")
    view = told(session, "diff mid")
    assert view["retired"] == view["b"]["retired"] == 10_000
    assert view["b"]["act"] is None
    assert view["first"]["b"] is None
    assert view["first"]["differs"] == "b has ended"
    do(session, "goto mid")
    view = told(session, "diff mid")
    assert view["equal"]
    assert view["fields"] == []
    assert "they are the same point" in session.execute("diff mid").text


def test_a_point_before_the_fork_is_compared_from_there_on(opened: Opened) -> None:
    session = do(opened(), *FORKED, "branch main", "goto 9000")
    view = told(session, "diff branch-1")
    assert view["retired"] == 9_000
    assert view["a"]["act"] is None
    assert view["first"]["a"] is None
    seq = session.timeline.spot.at.seq
    assert view["first"]["seq"] == seq
    assert session.timeline.spot.at.retired == 9_000


def test_branches_of_branches_part_at_the_first_fork(opened: Opened) -> None:
    session = do(opened(), *FORKED, "goto 15100", "nmi 1", "branch main", "goto 20000")
    do(session, "nmi 1", "run 50")
    assert session.timeline.branch.name == "branch-3"
    view = told(session, "diff branch-2")
    assert view["retired"] == 15_000
    assert (view["a"]["branch"], view["b"]["branch"]) == ("branch-3", "branch-2")


def test_an_act_that_takes_no_time_is_a_difference(opened: Opened) -> None:
    session = do(opened(), "run 5000", "fork one", "quantum 7", "branch main")
    do(session, "fork two")
    view = told(session, "diff one")
    assert view["retired"] == view["a"]["retired"] == view["b"]["retired"] == 5_000
    assert (view["a"]["act"], view["b"]["act"]) == (None, 2)
    assert view["b"]["text"] == "set_quantum quantum=7"
    assert view["first"] is None
    assert [row["field"] for row in view["fields"]] == ["schedule.quantum"]
    assert not view["equal"]
    text = session.execute("diff one").text
    assert "same point" not in text
    assert "1 field differs between the two points" in text
    do(session, "quantum 7")
    assert told(session, "diff one")["equal"]


@pytest.mark.parametrize("line", ["diff nope", "diff", "diff main main"])
def test_what_cannot_be_compared_is_refused(opened: Opened, line: str) -> None:
    session = do(opened(), *FORKED)
    here = session.timeline.spot
    outcome = session.execute(line)
    assert not outcome.ok
    assert session.timeline.spot == here
    assert line != "diff nope" or "'nope': main, branch-1" in outcome.text


def test_one_that_is_broken_off_stays_where_it_was(opened: Opened) -> None:
    session = do(opened(), *FORKED)
    here, branch = session.timeline.spot, session.timeline.branch
    looks = 0

    def watch(_way: Way) -> bool:
        nonlocal looks
        looks += 1
        return looks < 2

    outcome = session.execute("diff main", watch=watch)
    assert not outcome.ok
    assert "broken off" in outcome.text
    assert (session.timeline.spot, session.timeline.branch) == (here, branch)
    assert session.machine.log.observers == []
    session.watch = lambda _way: False
    there = branches.point(session.timeline, "main")
    with pytest.raises(TurnedBackError):
        branches.compare(session.timeline, there)


ACTS = (
    "run 40", "run 150", "run 700", "step", "step 7", "nmi 0", "quantum 3",
    "irq pulse 4", "ipi fixed 0x41 --to 0 --from 0", "sched lockstep", "goto 10%",
    "goto 50%", "goto start", "goto act 2", "goto #5", "fork", "branch main",
    "branch branch-1", "reverse-step", "checkpoint a", "checkpoint b",
)  # fmt: skip


@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(st.lists(st.sampled_from(ACTS), min_size=6, max_size=22))
def test_whatever_was_done_it_tells_what_going_there_shows(lines: list[str]) -> None:
    guest = str(machines.GUESTS / "fabric-nesting.bin")
    session = open_session(SessionOptions(guest, cpus=1), recordings.extensions())
    timeline = session.timeline
    for line in lines:
        session.execute(line)
    here = BranchPoint(timeline.branch, timeline.spot)
    digest, log = Digester(session.machine).digest(), session.machine.log.since(0)
    for name in [*timeline.branches, *timeline.names]:
        view = told(session, f"diff {name}")
        assert (timeline.branch, timeline.spot) == here
        there = branches.point(timeline, name)
        timeline.go(there.spot, there.branch.name)
        is_same = Digester(session.machine).digest() == digest
        other = session.machine.log.since(0)
        assert (view["fields"] == []) == is_same
        pairs = enumerate(zip_longest(log, other))
        first = next((seq for seq, (a, b) in pairs if a != b), None)
        assert (view["first"] and view["first"]["seq"]) == first
        timeline.go(here.spot, here.branch.name)
