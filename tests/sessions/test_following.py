"""In the past, running and stepping do what was done there."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from rigs import recordings

from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.errors import LeavesBranchError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], object]
    Replayed = Callable[[], Session]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "injected.lapis"
    recordings.record(path)
    return path


@pytest.fixture
def replayed(tape: Path) -> Replayed:
    """A machine of four vCPUs, all that was done to it ahead."""

    def make() -> Session:
        return replaying.session_of(reader.read(str(tape)), discover().extensions)

    return make


def _led_to(session: Session, spot: Spot) -> str:
    """The digest of a machine that is led to a spot by the recording alone."""
    session.timeline.go(session.timeline.branch.kept[0].spot)
    session.timeline.go(spot)
    return Digester(session.machine).digest()


def test_run_goes_along_every_act_to_the_end_and_then_on(replayed: Replayed) -> None:
    session, other = replayed(), replayed()
    end = session.timeline.branch.end
    acts = len(session.timeline.branch.entries)
    stop = session.run()
    assert stop.reason == "end-of-branch"
    assert stop.text.startswith("end of main, where it stopped (")
    for verb in ("answer", "inject_nmi", "send_ipi", "set_quantum", "set_schedule"):
        assert verb in stop.text
    assert stop.retired == end.at.retired
    assert session.timeline.spot == end
    assert Digester(session.machine).digest() == _led_to(other, end)
    assert session.machine.log.last(9) == other.machine.log.last(9)
    assert list(session.timeline.branches) == ["main"]
    assert session.timeline.made == 0
    session.execute("nmi 0")
    assert session.run(10).retired == 10
    assert len(session.timeline.branch.entries) > acts
    assert session.notices == []


@pytest.mark.parametrize("number", range(3))
def test_wherever_one_stops_the_machine_is_the_recorded_one(
    number: int, replayed: Replayed
) -> None:
    session, other, dice = replayed(), replayed(), Random(number)
    for _ in range(12):
        if session.timeline.at_end:
            session.execute("goto start")
        session.select(dice.randrange(4))
        line = dice.choice(["step", "run", "step", "run", "step 300", "run 4000"])
        outcome = session.execute(f"{line.split()[0]} {dice.randrange(1, 900)}"
                                  if dice.random() < 0.5 else line)  # fmt: skip
        assert outcome.ok, outcome.error
        assert Digester(session.machine).digest() == _led_to(
            other, session.timeline.spot
        )
    assert list(session.timeline.branches) == ["main"]


def test_a_step_goes_along_until_that_vcpu_has_retired_as_many(
    replayed: Replayed,
) -> None:
    session, other = replayed(), replayed()
    session.select(3)
    for count in (1, 1, 2, 40):
        before = session.machine.vcpu(3).retired
        stop = session.step(count)
        assert (stop.reason, stop.vcpu) == ("budget", 3)
        assert session.machine.vcpu(3).retired == before + count
        done, at = session.timeline.spot
        other.timeline.go(Spot(done, at._replace(retired=at.retired - 1, seq=0, now=0)))
        assert other.machine.vcpu(3).retired == before + count - 1
    assert session.step(1_000_000).reason == "end-of-branch"


def test_the_users_stops_stop_on_the_way_as_they_do_live(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=4)
    lines = ["catch eoi", "catch boot --mode sipi", "break ipi_handler"]
    for line in lines:
        done(session, line)
    live = []
    for _ in range(40):
        stop = session.run(1_000_000)
        if stop.reason == "exit":
            done(session, "answer 5")
            continue
        live.append((stop.reason, stop.vcpu, stop.text, session.timeline.spot.at))
        if stop.reason == "halted":
            break
    assert {"catch", "breakpoint"} <= {reason for reason, *_ in live[:-1]}
    done(session, "goto start")
    again = []
    while not session.timeline.at_end:
        stop = session.run()
        text = stop.text.partition("; as recorded")[0]
        again.append((stop.reason, stop.vcpu, text, session.timeline.spot.at))
    assert again[:-1] == live[:-1]
    assert again[-1][0] == "end-of-branch"
    assert list(session.timeline.branches) == ["main"]


def test_run_to_stops_at_its_event_in_the_past_too(replayed: Replayed) -> None:
    session, other = replayed(), replayed()
    for seq in (3, 17, 30, 41):
        session.execute(f"run-to {seq}")
        other.timeline.go_to_event(seq)
        assert session.timeline.spot == other.timeline.spot
    before = session.timeline.spot.at.retired
    session.execute("run-to 45 --step")
    assert session.timeline.spot.at.retired > before
    assert session.machine.log.next_seq <= 46


def test_a_way_along_that_is_broken_off_stays_where_it_came_to(
    replayed: Replayed,
) -> None:
    session, other = replayed(), replayed()
    turns = iter([700, 700, 0])
    stop = session.execute("run", pace=lambda _left: next(turns)).result
    assert (stop["stop"], stop["text"], stop["retired"]) == (
        "budget",
        "broken off",
        1400,
    )
    assert Digester(session.machine).digest() == _led_to(other, session.timeline.spot)


def _at_the_question(replayed: Replayed) -> Session:
    session = replayed()
    session.execute("catch exit")
    assert session.run().reason == "catch"
    assert session.machine.pending()
    return session


def test_another_answer_leaves_the_branch_and_says_so(replayed: Replayed) -> None:
    session = _at_the_question(replayed)
    at = session.timeline.spot.at
    assert session.execute("answer 0x1235").ok
    assert session.notices == [f"this left main for branch-1 at {at.text}"]
    assert session.timeline.branch.name == "branch-1"
    assert session.run(50).retired == 50
    assert session.timeline.at_end


def test_the_same_answer_goes_along_and_says_nothing(replayed: Replayed) -> None:
    session = _at_the_question(replayed)
    assert session.execute("answer 0x1234", may_leave=False).ok
    assert session.notices == []
    assert session.timeline.branch.name == "main"
    assert not session.timeline.at_end


@pytest.mark.parametrize(
    "line",
    ["answer 0x1235", "nmi 0", "quantum 3", "discard", "rule add 'any = 7'"],
)
def test_what_may_not_leave_fails_and_changes_nothing(
    line: str, replayed: Replayed
) -> None:
    session = _at_the_question(replayed)
    spot, digest = session.timeline.spot, Digester(session.machine).digest()
    outcome = session.execute(line, may_leave=False)
    assert not outcome.ok
    assert outcome.error == "this leaves main for branch-1; nothing was done"
    assert isinstance(outcome.leaves, LeavesBranchError)
    assert session.timeline.spot == spot
    assert Digester(session.machine).digest() == digest
    assert list(session.timeline.branches) == ["main"]
    assert session.rules.rules == []
    assert session.machine.pending()
    assert session.execute("answer 0x1234", may_leave=False).ok
    assert session.run().reason == "end-of-branch"


def test_a_breakpoint_within_a_run_gives_no_turn_that_the_run_does_not(
    opened: Opened, done: Done
) -> None:
    """The turn is past a sleeping vCPU; one that is woken here would be next."""
    session = opened(cpus=3, quantum=7)
    machine, timeline = session.machine, session.timeline
    done(session, "run-state 1 --vcpu 1")
    done(session, "ipi sipi 0x20 --to 1 --from 0")
    done(session, "run 100")
    stopped = 0
    for retired in range(1, 100):
        done(session, f"goto {retired}")
        digest, rip = Digester(machine).digest(), machine.vcpu(0).regs.linear_rip
        if machine.schedule.current != 2:
            continue
        done(session, f"goto {retired - 1}")
        done(session, f"break {rip:#x}")
        stop = session.run()
        done(session, f"delete {rip:#x}")
        assert (stop.reason, stop.retired, stop.vcpu) == ("breakpoint", 1, 0)
        assert Digester(machine).digest() == digest
        stopped += 1
    assert stopped > 3
    done(session, "run-state 1 --vcpu 2")
    done(session, "run 30")
    spot, digest = timeline.spot, Digester(machine).digest()
    assert timeline.branch.name == "branch-1"
    assert _led_to(session, spot) == digest


def test_a_live_breakpoint_is_come_to_whatever_stops_before_it(
    opened: Opened, done: Done
) -> None:
    """The recorded run ends in the turn that the breakpoint was met in."""
    session = opened(cpus=3, quantum=7)
    done(session, "run-state 1 --vcpu 1")
    done(session, "ipi sipi 0x20 --to 1 --from 0")
    done(session, "run 14")
    assert session.machine.schedule.current == 2
    done(session, f"break {session.machine.vcpu(0).regs.linear_rip:#x}")
    done(session, "goto start")
    done(session, "nmi 2")
    assert session.run().reason == "breakpoint"
    spot, digest = session.timeline.spot, Digester(session.machine).digest()
    for _ in range(2):
        done(session, "goto start")
        while not session.timeline.at_end:
            session.run()
        assert session.timeline.spot == spot
        assert Digester(session.machine).digest() == digest
        session.machine.break_only_at(())
