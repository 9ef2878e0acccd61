"""Going back and forth in a history, against one that was stepped through from outside.

The oracle is a second machine, run an instruction at a time and never put back.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from rigs import machines, random_acts, recordings

from lapis_engine.boot import flat
from lapis_engine.events import VectorEnded
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay.digest import Digester
from lapis_engine.replay.entries import DivergedError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.start import start_recording
from lapis_sessions.timeline import again, searches
from lapis_sessions.timeline import keeper as keeping
from lapis_sessions.timeline.branches import Spot
from lapis_sessions.timeline.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

NESTING = str(machines.GUESTS / "fabric-nesting.bin")


@pytest.fixture(params=["no checkpoints", "many checkpoints"])
def often(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take checkpoints at every chance, or none but the first: nothing may differ."""
    many = request.param == "many checkpoints"
    monkeypatch.setattr(keeping.Keeper, "is_due", lambda _self, **_back: many)
    if many:
        monkeypatch.setattr(Timeline, "_learn", lambda *_: None)
        monkeypatch.setattr(again, "LEAST", 7)


def place_of(session: Session) -> tuple[int, int, str]:
    at = session.timeline.spot.at
    return at.retired, at.seq, Digester(session.machine).digest()


# Reverse steps.


def _before_the_last_of(number: int, total: int) -> tuple[int, int, list[int]]:
    """Run 2 vCPUs to `total`; return where vCPU `number` was about to run its last.

    That is the instruction count of the machine, and RIP and registers of the vCPU.
    """
    m = machines.ap_bringup(2, quantum=100)
    found = (0, 0, [0])
    for _ in range(total):
        vcpu = m.vcpus[number]
        here = sum(v.retired for v in m.vcpus)
        before = (here, vcpu.regs.rip, list(vcpu.regs.gpr), vcpu.retired)
        m.run(1)
        if vcpu.retired != before[3]:
            found = before[:3]
    return found


@pytest.mark.usefixtures("often")
def test_a_reverse_step_takes_back_an_instruction_of_that_vcpu_alone(
    opened: Opened, done: Done
) -> None:
    """vCPU 0 ran last, for thousands of instructions; vCPU 1 sleeps since."""
    session = opened(cpus=2, quantum=100)
    stop = session.run()
    assert (stop.reason, stop.vcpu) == ("exit", 0)
    total = session.timeline.spot.at.retired
    retired = session.machine.vcpus[1].retired
    session.select(1)
    place = done(session, "reverse-step")
    count, rip, gpr = _before_the_last_of(1, total)
    assert (place["retired"], place["rip"], place["vcpu"]) == (count, rip, 1)
    assert list(session.machine.vcpus[1].regs.gpr) == gpr
    assert session.machine.vcpus[1].retired == retired - 1
    assert count < total - 1
    done(session, "reverse-step 3")
    assert session.machine.vcpus[1].retired == retired - 4


@pytest.mark.usefixtures("often")
def test_reverse_steps_undo_steps_one_by_one(opened: Opened, done: Done) -> None:
    session = opened(cpus=2)
    session.run(20_000)
    seen = []
    for _ in range(40):
        seen.append(place_of(session))
        done(session, "step")
    while seen:
        done(session, "reverse-step")
        assert place_of(session) == seen.pop()


def test_what_cannot_be_taken_back_is_refused(opened: Opened, refused: Refused) -> None:
    session = opened(cpus=2)
    assert "vCPU 0 has retired 0" in refused(session, "reverse-step")
    session.run(50)
    before = place_of(session)
    assert "vCPU 0 has retired 50" in refused(session, "reverse-step 51")
    assert "1 to 10000 at a time" in refused(session, "reverse-step 0")
    session.select(1)
    assert "vCPU 1 has retired 0" in refused(session, "reverse-step")
    assert place_of(session) == before


# Reverse continue.


@pytest.mark.usefixtures("often")
def test_reverse_continue_goes_to_the_eoi_before_and_the_one_before_that(
    opened: Opened, done: Done
) -> None:
    """fabric-nesting ends with a poweroff after two dozen interrupts."""
    session = opened(NESTING, cpus=1)
    session.run()
    ended = [
        (logged.seq, logged.at)
        for logged in session.machine.log.last(1000)
        if isinstance(logged.event, VectorEnded)
    ]
    assert len(ended) > 5
    done(session, "catch eoi")
    for seq, at in reversed(ended):
        place = done(session, "reverse-continue")
        assert (place["event"], place["now"]) == (seq + 1, at + 1)
        last = session.machine.log.last(1)[0]
        assert (last.seq, type(last.event)) == (seq, VectorEnded)
    assert done(session, "rc")["text"] == "the beginning"
    assert session.timeline.spot == Spot(0, session.timeline.spot.at)
    assert session.timeline.spot.at == (0, 0, 0)
    assert [catch.hits for catch in session.machine.catches.items] == [0]


@pytest.mark.usefixtures("often")
def test_reverse_continue_goes_to_the_breakpoint_that_was_passed_last(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    done(session, "break ipi_handler")
    assert session.run().reason == "breakpoint"
    first = place_of(session)
    done(session, "delete ipi_handler")
    session.run()
    done(session, "break ipi_handler")
    done(session, "reverse-continue")
    assert place_of(session) == first
    assert session.machine.breakpoints == [session.symbols["ipi_handler"]]


# Last writes and changes.


@pytest.mark.usefixtures("often")
def test_last_write_goes_to_before_each_write_in_turn(
    opened: Opened, done: Done, refused: Refused
) -> None:
    """aps_counted is 4 bytes that each AP increments once, with LOCK."""
    m = machines.ap_bringup(4)
    session = opened(cpus=4)
    session.run()
    at = session.symbols["aps_counted"]
    total = session.timeline.spot.at.retired
    written, value = [], m.read_physical(at, 4)
    for count in range(total):
        m.run(1)
        now = m.read_physical(at, 4)
        if now != value:
            written.append((count, value))
            value = now
    assert len(written) == 3
    for count, value in reversed(written):
        place = done(session, "reverse-until last-write aps_counted 4")
        assert place["retired"] == count
        assert session.machine.read_physical(at, 4) == value
    assert "nothing was moved" in refused(session, f"last-write {0x3F_0000:#x}")


def _changes(field: str, total: int) -> list[tuple[int, int]]:
    """(instruction, value that it left behind), one instruction after the other."""
    m = machines.guest("fabric-nesting", 1)
    found, value = [], getattr(m.vcpus[0].apic, field)
    for count in range(total):
        m.run(1)
        now = getattr(m.vcpus[0].apic, field)
        if now != value:
            found.append((count, now))
            value = now
    return found


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("field", ["isr", "irr", "ppr"])
def test_last_change_finds_every_change_of_a_field_of_an_apic(
    opened: Opened, done: Done, field: str
) -> None:
    session = opened(NESTING, cpus=1)
    session.run(5100)
    changed = _changes(field, 5100)
    for count, value in reversed(changed[-8:]):
        place = done(session, f"last-change apic 0 {field}")
        assert place["retired"] in {count, count + 1}
        assert getattr(session.machine.vcpus[0].apic, field) == value
        if field != "ppr":
            assert place["value"] == _in_words(value)
    assert len(changed) > 8


def _in_words(register: int) -> str:
    """Say which of 256 bits are set, by looking at each."""
    found = [f"0x{n:02x}" for n in range(255, -1, -1) if register >> n & 1]
    return ", ".join(found) if found else "empty"


def test_last_change_says_what_there_is(opened: Opened, refused: Refused) -> None:
    session = opened(cpus=2)
    session.run(100)
    assert "there is no toaster: vcpu0," in refused(session, "last-change toaster x")
    assert "there is no vCPU 9" in refused(session, "last-change apic 9 isr")
    error = refused(session, "last-change apic 1 colour")
    assert "vcpu1.apic has no 'colour': " in error
    assert "isr" in error
    error = refused(session, "last-change apic 1 ldr")
    assert (
        error == "a change of apic 1 ldr: there is none before this; nothing was moved"
    )


# Going to places.


@pytest.mark.usefixtures("often")
def test_goto_an_event_stands_right_after_it(opened: Opened, done: Done) -> None:
    session = opened(NESTING, cpus=1)
    session.run()
    events = session.machine.log.last(1000)
    order = list(events)
    Random(1).shuffle(order)
    for logged in order:
        place = done(session, f"goto #{logged.seq}")
        assert place["event"] > logged.seq
        assert session.machine.log.last(1000)[logged.seq] == logged
        since = session.machine.log.since(logged.seq)
        assert all(each.at <= logged.at + 1 for each in since)


@pytest.mark.usefixtures("often")
def test_goto_a_count_is_where_running_so_far_comes_to(
    opened: Opened, done: Done
) -> None:
    session, m = opened(cpus=3, memory="16M"), machines.ap_bringup(3)
    session.run()
    seed = Random(2)
    counts = sorted(seed.sample(range(1, 28_000), 12))
    digests = {}
    for count in counts:
        m.run(count - sum(vcpu.retired for vcpu in m.vcpus))
        digests[count] = [v.regs.rip for v in m.vcpus], list(m.vcpus[0].regs.gpr)
    seed.shuffle(counts)
    for count in counts:
        assert done(session, f"goto {count}")["retired"] == count
        vcpus = session.machine.vcpus
        found = [v.regs.rip for v in vcpus], list(vcpus[0].regs.gpr)
        assert found == digests[count]


def test_goto_a_share_of_the_branch(opened: Opened, done: Done) -> None:
    session = opened()
    session.execute("run 20001")
    for share, retired in ((0, 0), (50, 10_000), (99, 19_800), (100, 20_001)):
        assert done(session, f"goto {share}%")["retired"] == retired
    assert session.execute("goto 101%").error == "goto 101%: 100% is the end"
    assert "per cent" in session.execute("goto x%").error


def test_goto_start_end_names_and_nowhere(
    opened: Opened, done: Done, refused: Refused
) -> None:
    session = opened(cpus=2)
    start = place_of(session)
    session.run(500)
    half = place_of(session)
    done(session, "checkpoint half")
    session.run(500)
    end = place_of(session)
    for where, wanted in (("start", start), ("half", half), ("end", end)):
        done(session, f"goto {where}")
        assert place_of(session) == wanted
    assert "ends at instruction 1000" in refused(session, "goto 1001")
    assert "event 99 has not happened" in refused(session, "goto #99")
    assert "nowhere" in refused(session, "goto nowhere")
    assert "goto reads that as another place" in refused(session, "checkpoint end")
    assert place_of(session) == end


# Branches.


@pytest.mark.usefixtures("often")
def test_an_act_in_the_past_forks_and_what_came_after_stays(
    opened: Opened, done: Done, refused: Refused
) -> None:
    session = opened(cpus=2)
    session.run()
    done(session, "answer 5")
    session.run()
    main = place_of(session)
    done(session, "goto 20000")
    assert session.timeline.branch.name == "main"
    done(session, "nmi 0")
    session.run(100)
    fork = place_of(session)
    rows = done(session, "branches")
    assert [(row["name"], row["current"], row["fork"]) for row in rows] == [
        ("main", False, None), ("branch-1", True, 20_000),
    ]  # fmt: skip
    done(session, "branch main")
    assert place_of(session) == main
    done(session, "branch branch-1")
    assert place_of(session) == fork
    done(session, "goto 100")
    done(session, "step")
    assert session.timeline.branch.name == "branch-1"
    done(session, "quantum 7")
    assert session.timeline.branch.parent == "branch-1"
    done(session, "branch main")
    assert place_of(session) == main
    assert "there is no branch 'tree'" in refused(session, "branch tree")


@pytest.mark.usefixtures("often")
def test_what_was_done_then_goes_along_and_anything_else_forks(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    session.run()
    asked = place_of(session)
    at = session.timeline.spot.at.seq - 1
    done(session, "answer 5")
    session.run()
    end = place_of(session)
    done(session, "goto start")
    assert session.run(1000).retired == 1000
    assert done(session, f"run-to {at}")["stop"] == "catch"
    assert place_of(session) == asked
    done(session, "answer 5")
    assert session.run().reason == "end-of-branch"
    assert place_of(session) == end
    assert len(session.timeline.branches) == 1
    done(session, "goto 1000")
    assert session.run().reason == "end-of-branch"
    assert place_of(session) == end
    done(session, f"goto #{at}")
    done(session, "answer 6")
    assert session.timeline.branch.name == "branch-1"
    session.run()
    assert place_of(session) != end
    done(session, "branch main")
    assert place_of(session) == end


def test_a_run_beyond_what_was_done_stops_at_its_end(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    session.run(1000)
    done(session, "nmi 1")
    done(session, "goto 500")
    stop = session.run(600)
    assert (stop.reason, stop.retired) == ("end-of-branch", 500)
    assert session.timeline.branch.name == "main"
    assert session.machine.vcpus[1].nmi_pending
    assert session.run(100).reason == "budget"
    assert session.timeline.spot.at.retired == 1100
    assert [e.act.verb for e in session.timeline.branch.entries][-1] == "run"


def test_going_on_from_the_end_of_another_branch_forks_nothing(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    session.run(1000)
    done(session, "goto 500")
    done(session, "nmi 0")
    done(session, "branch main")
    session.run(1000)
    assert [row["end"] for row in done(session, "branches")] == [2000, 500]
    assert session.timeline.branch.name == "main"


def test_the_users_stops_are_left_alone_by_travelling(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    session.run(25_000)
    done(session, "break long_mode")
    done(session, "catch ipi")
    done(session, "goto 10")
    done(session, "goto end")
    assert session.timeline.spot.at.retired == 25_000
    assert session.machine.breakpoints == [session.symbols["long_mode"]]
    done(session, "goto 10")
    assert session.run().reason in {"breakpoint", "catch"}


# Walks.


def _small(seed: Random) -> Machine:
    """A machine of 1 MiB that is soon put back, with a past of acts at random."""
    memory = 1 << 20
    config = MachineConfig(cpus=2, memory=memory, quantum=seed.choice((1, 50)))
    code = machines.AP_BRINGUP.read_bytes()
    return Machine(config, flat.load(code, memory_bytes=memory), [])


@pytest.mark.parametrize("number", range(4))
def test_a_thousand_walks_forward_and_back_come_to_the_same_states(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 walks each; checkpoints and slices come as it pleases the dice."""
    seed = Random(number)
    due = lambda _self, **_back: seed.random() < 0.2  # noqa: E731 - for the patch
    monkeypatch.setattr(keeping.Keeper, "is_due", due)
    m = _small(seed)
    timeline = Timeline(m)
    digester = Digester(m)
    digests: dict[tuple[str, Spot], str] = {}
    timeline.listeners.append(lambda _entry: _learn(timeline, digester, digests))
    _learn(timeline, digester, digests)
    for walk in range(250):
        if walk % 5 == 0:
            for _ in range(4):
                random_acts.act(m, seed)
            m.break_only_at([])
            m.catches.remove()
        timeline.slice = seed.choice((3, 100, 5000))
        if seed.random() < 0.5:
            (branch, spot), digest = seed.choice(sorted(digests.items()))
            timeline.go(spot, branch)
            assert digester.digest() == digest, (walk, branch, spot)
        else:
            end = timeline.branch.end.at.retired
            timeline.go(timeline.branch.spot_of(seed.randint(0, end)))
            _learn(timeline, digester, digests)
        if seed.random() < 0.5:
            timeline.go(timeline.branch.end)
    assert len(timeline.branches) > 3


def _learn(
    timeline: Timeline, digester: Digester, digests: dict[tuple[str, Spot], str]
) -> None:
    """Take down the state of this place, which is what it was if it was seen before."""
    key = timeline.branch.name, timeline.spot
    assert digests.setdefault(key, digester.digest()) == digester.digest(), key


# What is kept, and what is given up.


def test_a_long_past_gives_up_its_beginning(
    opened: Opened, done: Done, refused: Refused
) -> None:
    session = opened(cpus=2, memory="4M")
    timeline = session.timeline
    timeline.most = 100
    done(session, "run 100")
    done(session, "checkpoint early")
    for count in range(300):
        done(session, f"quantum {900 + count}")
        done(session, "run 10")
        if count == 299 - 15:
            done(session, "checkpoint late")
            late = place_of(session)
    assert len(timeline.branch.entries) <= 100
    assert timeline.given_up + len(timeline.branch.entries) == 601
    first = timeline.branch.kept[0].spot.at.retired
    assert 2000 < first < 3000
    end = place_of(session)
    begin = done(session, "goto start")
    assert begin["retired"] == first
    assert f"begins at instruction {first}" in refused(session, "goto 50")
    assert "'early'" in refused(session, "goto early")
    done(session, "goto late")
    assert place_of(session) == late
    done(session, "goto end")
    assert place_of(session) == end
    text = refused(session, "record start /tmp/never.lapis")
    assert text.startswith(f"the first {timeline.given_up} acts of 'main' are no")
    done(session, f"reverse-step {3100 - first}")
    assert session.timeline.spot == Spot(0, session.timeline.spot.at)


def test_no_recording_begins_with_a_branch_that_has_lost_its_beginning(
    opened: Opened, done: Done, refused: Refused, tmp_path: Path
) -> None:
    """It would hold the rest of that branch as if it were the whole of it."""
    session = opened(cpus=2, memory="4M")
    session.timeline.most = 20
    done(session, "run 10")
    done(session, "goto start")
    for count in range(30):
        done(session, f"quantum {900 + count}")
    done(session, "branch main")
    assert session.timeline.given_up == 0
    path = tmp_path / "x.lapis"
    lost = session.timeline.branches["branch-1"].given_up
    assert lost
    text = refused(session, f"record start {path}")
    assert text.startswith(f"the first {lost} acts of 'branch-1' are no longer known")
    assert session.writer is None
    assert not path.exists()


def test_what_is_recorded_to_a_file_is_not_given_up(
    opened: Opened, done: Done, tmp_path: Any
) -> None:
    session = opened(cpus=2, memory="4M")
    session.timeline.most = 20
    done(session, f"record start {tmp_path / 'x.lapis'}")
    for count in range(60):
        done(session, f"quantum {900 + count}")
    assert session.timeline.given_up == 0
    assert len(session.timeline.branch.entries) == 60
    session.close()


def test_checkpoints_of_all_branches_stay_below_the_ceiling(
    opened: Opened, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.Keeper, "is_due", lambda _self, **_back: True)
    session = opened(cpus=2, memory="4M")
    timeline, keeper = session.timeline, session.timeline.keeper
    done(session, "checkpoints --limit 2M")
    done(session, "run 5000")
    done(session, "checkpoint mine")
    for where in (1000, 2000, 4000):
        done(session, f"goto {where}")
        done(session, "nmi 1")
        for _ in range(30):
            done(session, "run 100")
            assert keeper.held <= 2 << 20
    shown = done(session, "checkpoints")
    assert (shown["bytes"], shown["limit"]) == (keeper.held, 2 << 20)
    lying = {id(k.checkpoint) for b in timeline.branches.values() for k in b.kept}
    assert len(lying) == keeper.count
    branch, spot = timeline.names["mine"]
    assert spot in {kept.spot for kept in timeline.branches[branch].kept}
    done(session, "checkpoints --limit 1M")
    assert keeper.held <= 1 << 20
    done(session, "goto mine")
    assert session.timeline.spot.at.retired == 5000


def test_pages_that_checkpoints_share_are_counted_once(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.Keeper, "is_due", lambda _self, **_back: True)
    session = opened(cpus=1, memory="4M")
    keeper = session.timeline.keeper
    first = keeper.held
    for _ in range(10):
        session.run(1)
    own = 64 << 10
    assert keeper.count == 11
    assert 10 * own <= keeper.held - first <= 10 * own + 3 * 4096


# A breakpoint where a run ended with an exit.


def test_a_breakpoint_at_the_exit_of_a_run_is_gone_back_to(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2, memory="2M")
    done(session, "run 5000000")
    end = session.timeline.spot
    rip = session.machine.vcpu(0).regs.linear_rip
    done(session, "break")
    here = done(session, "reverse-continue")
    assert session.machine.vcpu(0).regs.linear_rip == rip
    assert here["retired"] == end.at.retired
    assert here["event"] == end.at.seq - 1  # the exit has not happened
    assert done(session, "pending") == []
    done(session, "goto end")
    assert session.timeline.spot == end
    assert [request["gpa"] for request in done(session, "pending")] == [0xD000_0000]


def test_a_way_back_that_fails_leaves_everything_where_it_was(
    opened: Opened, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(cpus=2, memory="2M")
    done(session, "run 5000000")
    done(session, "answer 7")
    done(session, "run 5000000")
    line = session.timeline
    before = line.spot, Digester(session.machine).digest(), done(session, "where")

    def fails(*_: object) -> None:
        raise DivergedError(line.branch.entries[0].act, line.spot.at, line.spot.at)

    with monkeypatch.context() as patched:
        patched.setattr(searches, "_between", fails)
        assert "ended at" in session.execute("reverse-step").error
    after = line.spot, Digester(session.machine).digest(), done(session, "where")
    assert after == before


# Where the machine is not.


def moved_unseen(session: Session) -> None:
    """Run the machine without the timeline, as a plug-in that errs may."""
    machine = session.machine
    machine.on_act, tell = None, machine.on_act
    machine.run(5)
    machine.on_act = tell


@pytest.mark.parametrize("line", ["step", "nmi 0", "run 10", "checkpoint here"])
def test_nothing_is_done_or_recorded_where_the_machine_is_not(
    opened: Opened, done: Done, refused: Refused, tmp_path: Path, line: str
) -> None:
    session = opened(cpus=2)
    path = tmp_path / "a.lapis"
    start_recording(session, str(path))
    done(session, "run 1000")
    before, entries = place_of(session), list(session.timeline.branch.entries)
    moved_unseen(session)
    error = refused(session, line)
    assert "the machine was at instruction 1005, event 1," in error
    assert "its history is at instruction 1000, event 1," in error
    assert place_of(session) == before
    assert session.timeline.branch.entries == entries
    assert not session.timeline.names
    done(session, line)
    session.close()
    assert recordings.verify(path).divergence is None


@pytest.mark.parametrize("where", ["end", "#0", "2000"])
def test_a_way_begins_where_the_machine_is(
    opened: Opened, done: Done, where: str
) -> None:
    session = opened(NESTING, cpus=1)
    session.run(3000)
    done(session, f"goto {where}")
    wanted = place_of(session)
    done(session, "goto 100")
    moved_unseen(session)
    done(session, f"goto {where}")
    assert place_of(session) == wanted


def test_a_recording_is_closed_as_far_as_it_is_right(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    session = opened(cpus=2)
    path = tmp_path / "a.lapis"
    start_recording(session, str(path))
    done(session, "run 1000")
    moved_unseen(session)
    session.close()
    verdict = recordings.verify(path)
    assert (verdict.divergence, verdict.retired) == (None, 1000)


# What takes no time, and turns.


def test_a_change_within_an_act_is_found_right_after_the_act(
    opened: Opened, done: Done
) -> None:
    """An INIT leaves several events, and within it one cannot stand."""
    session = opened(cpus=3)
    done(session, "run 40")
    done(session, "ipi init --to 2 --from 1")
    after = place_of(session)
    done(session, "run 40")
    done(session, "last-change vcpu 2 run_state")
    assert place_of(session) == after
    done(session, "goto end")
    done(session, "catch ipi")
    done(session, "reverse-continue")
    assert place_of(session) == after


ALL_RUN = (
    "ipi init --to 1", "ipi init --to 2", "run 1", "ipi sipi 0x10 --to 1",
    "ipi sipi 0x10 --to 2", "run 30", "run-state 0 --vcpu 1",
)  # fmt: skip
"""vCPU 1 sleeps between two that run the guest's code from its beginning."""


@pytest.mark.parametrize("line", ["goto end", "goto 33", "run", "run 33", "step 12"])
def test_a_breakpoint_of_another_vcpu_is_come_to_again(
    opened: Opened, done: Done, line: str
) -> None:
    """The turn is passed from vCPU 1 to 2, which stops before its instruction."""
    session = opened(cpus=3, quantum=1)
    for each in (*ALL_RUN, "run 2"):
        done(session, each)
    session.machine.break_at(session.machine.vcpus[2].regs.linear_rip)
    assert session.machine.schedule.current == 1
    done(session, "run 1")
    assert session.machine.schedule.current == 2
    session.machine.break_only_at([])
    wanted = place_of(session)
    done(session, "goto start")
    done(session, "vcpu 0")
    done(session, line)
    assert place_of(session) == wanted
    assert session.timeline.at_end


@pytest.mark.usefixtures("often")
def test_a_fork_at_the_end_of_a_run_may_go_on_with_it(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=2)
    for line in ("run 100", "nmi 0", "run 100", "goto 50", "run 50", "checkpoint at"):
        done(session, line)
    session.machine.run(30)  # as a plug-in does: the command goes along
    assert session.timeline.branch.name == "branch-1"
    done(session, "quantum 5")
    done(session, "run 10")
    wanted = place_of(session)
    done(session, "run 10")
    for where in ("start", "end"):
        done(session, f"goto {where}")
        done(session, "goto 140")
        assert place_of(session) == wanted


# Too many branches.


def forks(session: Session, done: Done, many: int) -> None:
    for _ in range(many):
        done(session, "goto 10")
        done(session, f"quantum {50 + session.timeline.made}")
        done(session, "run 5")


def test_the_oldest_branch_is_given_up_for_a_new_one_and_that_is_said(
    opened: Opened, done: Done, refused: Refused, tmp_path: Path
) -> None:
    session = opened(cpus=1)
    timeline = session.timeline
    timeline.most_branches = 4
    path = tmp_path / "a.lapis"
    start_recording(session, str(path))
    done(session, "run 20")
    forks(session, done, 2)
    done(session, "checkpoint kept")
    forks(session, done, 1)
    assert [*timeline.branches] == ["main", "branch-1", "branch-2", "branch-3"]
    count = timeline.keeper.count
    forks(session, done, 3)
    assert [*timeline.branches] == ["main", "branch-2", "branch-5", "branch-6"]
    gone = [text for text in session.notices if "given up" in text]
    assert [text.split()[0] for text in gone] == ["branch-1", "branch-3", "branch-4"]
    assert timeline.keeper.count <= count
    assert [row["parent"] for row in done(session, "branches")] == [
        "", "main", "branch-2", "branch-5",
    ]  # fmt: skip
    assert "there is no branch 'branch-1'" in refused(session, "branch branch-1")
    assert done(session, "goto kept")["branch"] == "branch-2"
    assert done(session, "branch branch-5")["retired"] == 15
    session.close()
    known = [branch.name for branch in reader.read(str(path)).branches]
    assert known == ["main", *(f"branch-{number}" for number in range(1, 7))]
    assert recordings.verify(path).divergence is None


def test_the_name_of_a_branch_in_a_file_is_not_given_to_another(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=1)
    session.timeline.adopt("main", "", [])
    session.timeline.adopt("branch-2", "main", [])
    done(session, "run 20")
    forks(session, done, 1)
    assert [*session.timeline.branches] == ["main", "branch-2", "branch-3"]


def test_a_point_whose_name_went_elsewhere_is_kept_no_more(
    opened: Opened, done: Done
) -> None:
    session = opened(cpus=1)
    for _ in range(9):
        done(session, "run 10")
        done(session, "checkpoint here")
    timeline = session.timeline
    assert timeline.keeper.pinned == {timeline.spot}
    done(session, "checkpoints --limit 0")
    assert [kept.spot.at.retired for kept in timeline.branch.kept] == [0, 90]
