"""Explorations find what a guest's own schedule hides, and shrinking explains it.

The embedded guest `race` loses a wake-up when the AP is preempted between its look at
READY, at 8038, and its HLT, at 803F, and the BSP's IPI comes before it goes on.
"""

from __future__ import annotations

import json
import signal
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs.machines import fingerprint

from lapis_engine.errors import ConfigError
from lapis_plugins.host import discover
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions.exploring import exploration, plan, pool, reduction
from lapis_sessions.exploring.driving import Driver, switches
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.exploring.following import ends_of, follow, steps_of
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.outcomes import Observed, Outcomes, Result
from lapis_sessions.exploring.plan import Turn
from lapis_sessions.exploring.work import Explorer, Job
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.platforms import origin_of
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import named, replaying
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

RACE = "race"
GUESTS = Path(__file__).parents[1] / "guests"
SPIN = str(GUESTS / "spin.bin")
LOST = 'stop == "halted"'
SMALL = ("--memory", "16M")
HERE = ExtensionsOf()
Captured = pytest.CaptureFixture[str]


def job(
    guest: str = RACE, *, seed: int = 1, kinds: tuple[str, ...] = (), **more: Any
) -> Job:
    origin = origin_of(SessionOptions(guest, memory="16M"), discover().extensions)
    return Job(origin, HERE, seed, kinds, **more)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def verified(file: str) -> replaying.Verdict:
    recording = reader.read(file)
    return replaying.verify(
        replaying.session_of(recording, discover().extensions), recording
    )


def explored(capsys: Captured, *arguments: str, status: int = 0) -> dict[str, Any]:
    assert main(["explore", *arguments, *SMALL, "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_the_guest_never_loses_it_in_its_own_schedule(
    opened: Callable[..., Session],
) -> None:
    for quantum in (1, 7, 100, 1000, 10_000):
        session = opened(RACE, memory="16M", quantum=quantum)
        assert session.run(1_000_000).reason == "suspended"
        assert session.machine.consoles["com1"] == b"done"


def test_exploring_finds_it_and_shrinking_leaves_three_switches(
    tmp_path: Path, capsys: Captured
) -> None:
    found = explored(
        capsys, RACE, "--until", LOST, "--ipis", "as-sent", "-j", "1",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert found["until"] == LOST
    assert found["found"] == found["runs"] - 1 > 0
    fine, lost = found["outcomes"]
    assert (fine["stop"], fine["console"], fine["met"]) == ("suspended", "done", False)
    assert (lost["stop"], lost["console"], lost["met"]) == ("halted", "", True)
    assert lost["states"] == ["halted", "halted"]
    assert lost["disturbances"] == []
    assert lost["switches"] > 10

    assert main(["shrink", lost["file"], "--until", LOST, "--json"]) == 0
    shrunk = json.loads(capsys.readouterr().out)
    assert shrunk["before"]["switches"] == lost["switches"]
    assert shrunk["after"]["switches"] == 3
    assert shrunk["complete"]
    # The BSP starts the AP; the AP looks; the BSP sends; the AP goes to sleep.
    assert [step["vcpu"] for step in shrunk["steps"]] == [0, 1, 0, 1]
    looked = int(shrunk["steps"][1]["before"].split()[0], 16)
    assert 0x803B < looked <= 0x803F
    for file in (fine["file"], lost["file"], shrunk["file"]):
        verdict = verified(file)
        assert (verdict.divergence, verdict.hashes) == (None, 1)


def test_each_ap_of_the_bring_up_needs_two_turns_and_no_more(tmp_path: Path) -> None:
    origin = origin_of(
        SessionOptions("ap-bringup", cpus=3, memory="16M"), discover().extensions
    )
    explorer = Explorer(Job(origin, HERE, 1, ()))
    found = {explorer.run(number).outcome for number in range(24)}
    # Whatever the order, the guest comes to the read that it leaves to the user.
    (end,) = found
    assert end.waiting == ("vCPU 0: mmio read 0xd0000000",)
    assert end.states == ("running", "halted", "halted")
    file = tmp_path / "up.lapis"
    file.write_bytes(explorer.record(7))
    goal = Goal(discover().extensions, 'stop == "exit" and waiting == [0]')
    done = reduction.reduce(named.find(str(file)), goal, discover().extensions)
    # The BSP starts the APs, interrupts them when both are up, and reads when both
    # have counted: three turns, and between them two of each AP.
    assert done.shrunk.after[0] == 6
    turns = [step.vcpu for step in done.shrunk.steps if isinstance(step, Turn)]
    assert turns in ([0, *one, 0, *two, 0] for one in PAIRS for two in PAIRS)


PAIRS = ([1, 2], [2, 1])


def test_rules_answer_in_every_run_and_their_answers_stay_when_shrinking(
    tmp_path: Path, capsys: Captured
) -> None:
    rule, goal = "mmio 0xd0000000 = 0x1234", '"0x1234" in console and not running'
    found = explored(
        capsys, "ap-bringup", "--answer", rule, "--ipis", "as-sent", "-j", "1",
        "--schedules", "8", "--out", str(tmp_path),
    )  # fmt: skip
    (end,) = found["outcomes"]
    assert (end["stop"], end["waiting"], end["count"]) == ("halted", [], 8)
    assert end["console"] == "2 processors\r\ndevice says 0x1234\r\n"
    assert verified(end["file"]).divergence is None
    assert main(["shrink", end["file"], "--until", goal, "--json"]) == 0
    shrunk = json.loads(capsys.readouterr().out)
    assert (shrunk["after"]["switches"], shrunk["after"]["acts"]) == (4, 1)
    (act,) = [step["act"] for step in shrunk["steps"] if "act" in step]
    assert act.startswith("answer number=0 value=4660")
    assert shrunk["steps"][-1]["before"].endswith("hlt")
    assert verified(shrunk["file"]).divergence is None


@pytest.mark.parametrize(
    ("guest", "cpus"), [("fabric-shorthands", 4), ("fabric-timer", 1), ("ipi-ping", 2)]
)
def test_what_the_schedule_did_is_told_as_turns_exactly(
    guest: str, cpus: int, opened: Callable[..., Session]
) -> None:
    file = GUESTS / f"{guest}.bin"
    name = str(file) if file.exists() else guest
    session = opened(name, cpus=cpus, memory="16M", quantum=17)
    session.run(12_000)
    wanted = fingerprint(session.machine)
    entries = list(session.timeline.branch.entries)
    driver = Driver(session)
    steps = steps_of(driver, entries)
    retired = sum(step.count for step in steps if isinstance(step, Turn))
    assert retired == entries[-1].end.retired > 10_000
    assert follow(
        driver, steps, Goal(discover().extensions, f"retired >= {retired}"), 10**6
    )
    assert fingerprint(driver.machine) == wanted


def test_a_cluster_comes_to_the_same(tmp_path: Path, capsys: Captured) -> None:
    distributed = pytest.importorskip("distributed")
    wanted = (RACE, "--schedules", "24", "--seed", "3")
    here, there = tmp_path / "here", tmp_path / "there"
    one = explored(capsys, *wanted, "-j", "1", "--out", str(here))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp",
        dashboard_address=None,
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        two = explored(capsys, *wanted, "--dask", address, "--out", str(there))
        cut = explored(
            capsys, *wanted, "--dask", address, "--out", str(tmp_path / "cut"),
            "--budget", "0.000001", "--never", "retired > 1", status=3,
        )  # fmt: skip
    assert [row["outcome"] for row in one["outcomes"]] == [
        row["outcome"] for row in two["outcomes"]
    ]
    assert files(here) == files(there)
    assert (cut["runs"], cut["schedules"], cut["ended_by"]) == (0, 24, "budget")


def test_a_run_depends_on_its_number_and_on_nothing_before_it() -> None:
    first, second = (
        Explorer(job(seed=5, kinds=plan.KINDS)),
        Explorer(job(seed=5, kinds=plan.KINDS)),
    )
    there = [first.run(number) for number in range(12)]
    assert [second.run(number) for number in reversed(range(12))] == there[::-1]
    assert first.record(7) == second.record(7)
    assert len({result.seed for result in there}) == 12
    other = Explorer(job(seed=6, kinds=plan.KINDS))
    assert other.run(0).switches != there[0].switches


def test_every_other_run_leaves_the_ipis_alone() -> None:
    plans = [plan.draw(1, number, plan.KINDS) for number in range(400)]
    assert [bool(each.disturbances) for each in plans] == [False, True] * 200
    done = [each for drawn in plans for each in drawn.disturbances]
    assert {each.action for each in done} == {"delay", "drop"}
    assert {each.nth for each in done} >= {1, 2, 3, 4, 5}
    assert all((each.by > 0) == (each.action == "delay") for each in done)
    assert not any(plan.draw(1, number, ()).disturbances for number in range(400))


def test_another_vcpu_goes_on_at_each_ipi_in_a_run_that_is_to_switch_there() -> None:
    explorer = Explorer(job())
    stayed = {False: 0, True: 0}
    for number in range(60):
        explorer.run(number)
        entries = explorer.driver.entries
        vcpus = [entry.act.args["number"] for entry in entries if entry.moves]
        both_awake = range(vcpus.index(1) if 1 in vcpus else len(vcpus), len(vcpus) - 1)
        stayed[plan.draw(1, number, ()).at_ipis] += sum(
            entries[at].reason == "catch" and vcpus[at] == vcpus[at + 1]
            for at in both_awake
        )
    assert stayed[True] == 0
    assert stayed[False] > 0


def test_a_dropped_ipi_is_a_rule_in_the_recording(tmp_path: Path) -> None:
    explorer = Explorer(job(seed=1, kinds=("drop",)))
    number = next(
        n for n in range(1, 99, 2)
        if [d.nth for d in plan.draw(1, n, ("drop",)).disturbances] == [1]
    )  # fmt: skip
    result = explorer.run(number)
    # Without INIT the AP never waits for SIPI (SDM Vol. 3A "MP Initialization").
    assert result.outcome.states == ("halted", "never-started")
    file = tmp_path / "dropped.lapis"
    file.write_bytes(explorer.record(number))
    acts = reader.read(str(file)).last.acts
    assert [row.verb for row in acts].count("interfere") == 1
    assert acts[0].args["action"] == "drop"
    assert verified(str(file)).divergence is None

    goal = Goal(
        discover().extensions, 'vcpu[1].state == "never-started" and stop == "halted"'
    )
    done = reduction.reduce(named.find(str(file)), goal, discover().extensions)
    assert done.shrunk.after[1] == 1  # without the rule it does not come about


def test_rules_that_do_not_matter_are_dropped(
    tmp_path: Path, opened: Callable[..., Session], done: Callable[[Session, str], Any]
) -> None:
    session = opened(RACE, memory="16M")
    file = tmp_path / "by-hand.lapis"
    for line in (
        f"record start {file}", "ipi drop --mode fixed --nth 9",
        "ipi drop --mode init --to 1", "nmi 1", "quantum 50", "run 100000",
        "record stop",
    ):  # fmt: skip
        done(session, line)
    goal = Goal(
        discover().extensions, 'stop == "halted" and vcpu[1].state == "never-started"'
    )
    found = reduction.reduce(named.find(str(file)), goal, discover().extensions)
    assert found.shrunk.before[1] == 3  # the rules and the NMI
    assert [step.text for step in found.shrunk.steps if not isinstance(step, Turn)] == [
        step.text for step in found.shrunk.steps[:1] if not isinstance(step, Turn)
    ]
    assert found.shrunk.after[:2] == (0, 1)


def test_a_lint_is_looked_for_by_name(tmp_path: Path, capsys: Captured) -> None:
    # Only a SIPI whose INIT was lost, or came late, finds the AP not waiting.
    wanted = (RACE, "--lint", "sipi-ignored", "--schedules", "60", "-j", "1")
    found = explored(capsys, *wanted, "--out", str(tmp_path / "a"))
    assert found["until"] == '"sipi-ignored" in lints'
    (met,) = [row for row in found["outcomes"] if row["met"]]
    assert met["lints"] == ["sipi-ignored"]
    assert met["stop"] == "until"
    assert met["disturbances"]
    never = explored(
        capsys, *wanted, "--ipis", "as-sent", "--out", str(tmp_path / "b"), status=1
    )
    assert (never["found"], never["runs"]) == (None, 60)


def test_it_ends_with_what_is_there_when_nobody_wants_more(tmp_path: Path) -> None:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 400

    with pool.processes(1, stopped) as workers:
        shelf = Shelf(str(tmp_path), force=False)
        found = exploration.explore(job(), 1_000_000, workers, shelf)
    assert 0 < found.runs < 400
    assert {g.file for g in found.groups.values()} == set(map(str, tmp_path.iterdir()))


def test_a_run_without_end_is_left_when_nobody_wants_more(tmp_path: Path) -> None:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 50

    with pool.processes(1, stopped) as workers:
        shelf = Shelf(str(tmp_path), force=False)
        wanted = job("ipi-ping", limit=10**15)
        found = exploration.explore(wanted, 1, workers, shelf)
    assert (found.runs, list(tmp_path.iterdir())) == (0, [])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run take a second of the clock that a budget goes by."""
    seconds = 0
    add = Outcomes.add

    def counted(outcomes: Outcomes, result: Result) -> Any:
        nonlocal seconds
        seconds += 1
        return add(outcomes, result)

    monkeypatch.setattr(Outcomes, "add", counted)
    monkeypatch.setattr("lapis_tui.cli.budget.monotonic", lambda: float(seconds))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_neither_a_budget_nor_how_many_do_them_changes_the_runs(
    jobs: str, tmp_path: Path, capsys: Captured
) -> None:
    wanted = (RACE, "--seed", "3")
    cut = explored(
        capsys, *wanted, "--budget", "45", "--schedules", "5000", "-j", jobs,
        "--out", str(tmp_path / "cut"),
    )  # fmt: skip
    assert (cut["schedules"], cut["budget"], cut["ended_by"]) == (5000, 45.0, "budget")
    assert 45 <= cut["runs"] <= 45 + pool.BATCH
    count = str(cut["runs"])
    whole = explored(
        capsys, *wanted, "--schedules", count, "-j", "1",
        "--out", str(tmp_path / "whole"),
    )  # fmt: skip
    assert (whole["budget"], whole["ended_by"]) == (None, "schedules")
    own = ("schedules", "budget", "ended_by")
    for row in (*cut["outcomes"], *whole["outcomes"]):
        row["file"] = Path(row["file"]).name
    assert {**cut, **dict.fromkeys(own)} == {**whole, **dict.fromkeys(own)}
    kept = files(tmp_path / "whole")
    assert files(tmp_path / "cut") == kept
    assert {row["file"] for row in whole["outcomes"]} == kept.keys()
    assert sum(row["count"] for row in whole["outcomes"]) == whole["runs"]
    undisturbed = sum(row["undisturbed"] for row in whole["outcomes"])
    assert undisturbed == (whole["runs"] + 1) // 2


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("arguments", "status", "last"),
    [
        # Run 63 is the first that loses the wake-up (seed 1, IPIs as sent).
        (("--never", LOST), 1, "came about in run 63, which it must not"),
        (("--never", LOST, "--schedules", "63"), 0, "never came about"),
        (("--never", LOST, "--budget", "63"), 3, "in 63 of 1,000 runs"),
        (("--never", LOST, "--budget", "64"), 1, "run 63, which it must not"),
        (("--never", LOST, "--schedules", "63", "--budget", "63"), 0, "came about"),
        (("--never", LOST, "--all", "--schedules", "65"), 1, "which it must not"),
        (("--until", LOST), 0, "came about in run 63"),
        (("--until", LOST, "--budget", "63"), 1, "never came about"),
        (("--until", LOST, "--schedules", "63"), 1, "never came about"),
        (("--budget", "5"), 0, "5 of 1,000 runs are done: the budget of 5 s ended it"),
        (("--never-lint", "sipi-ignored", "--schedules", "9"), 0, "never came about"),
        (("--never", "lints or retired", "--schedules", "9"), 1, "must not"),
    ],
)
def test_the_status_says_what_became_of_the_goal(
    arguments: tuple[str, ...], status: int, last: str,
    tmp_path: Path, capsys: Captured,
) -> None:  # fmt: skip
    line = ["explore", RACE, *SMALL, *arguments, "-j", "1", "--ipis", "as-sent"]
    assert main([*line, "--out", str(tmp_path)]) == status
    said = capsys.readouterr().out
    assert said.rstrip().endswith(last)
    assert len(list(tmp_path.iterdir())) == said.count(".lapis") > 0


def test_what_must_never_be_has_its_recording(tmp_path: Path, capsys: Captured) -> None:
    found = explored(
        capsys, RACE, "--never-lint", "sipi-ignored", "-j", "1",
        "--out", str(tmp_path), status=1,
    )  # fmt: skip
    assert (found["until"], found["never"]) == ('"sipi-ignored" in lints', True)
    (met,) = [row for row in found["outcomes"] if row["met"]]
    assert (met["lints"], found["ended_by"]) == (["sipi-ignored"], "goal")
    assert verified(met["file"]).divergence is None


def test_shrinking_has_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    out = tmp_path / "found"
    found = explored(
        capsys, RACE, "--until", LOST, "--ipis", "as-sent", "-j", "1",
        "--out", str(out),
    )  # fmt: skip
    file = found["outcomes"][-1]["file"]
    seconds = iter(range(10**6))  # each look at the clock finds it a second later
    monkeypatch.setattr("lapis_tui.cli.budget.monotonic", lambda: float(next(seconds)))
    line = ["shrink", file, "--until", LOST, "--out", str(tmp_path / "a"), "--json"]
    for more, ended_by in (
        (["--budget", "4"], "budget"), (["--tries", "3"], "tries"),
        (["--budget", "9999"], "complete"),
    ):  # fmt: skip
        assert main([*line, "--force", *more]) == 0
        shrunk = json.loads(capsys.readouterr().out)
        assert shrunk["ended_by"] == ended_by
        assert shrunk["complete"] == (ended_by == "complete")
        assert (shrunk["tries"] == 3) == (ended_by != "complete")
        assert verified(str(tmp_path / "a")).divergence is None
    assert shrunk["after"]["switches"] == 3


def test_ctrl_c_is_heard_between_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    add = Outcomes.add

    def interrupted(outcomes: Outcomes, result: Result) -> Any:
        if result.number == 20:
            signal.raise_signal(signal.SIGINT)
        return add(outcomes, result)

    monkeypatch.setattr(Outcomes, "add", interrupted)
    found = explored(
        capsys, RACE, "-j", "2", "--schedules", "1000000", "--out", str(tmp_path),
        status=130,
    )  # fmt: skip
    assert 20 <= found["runs"] < 1000
    assert all(Path(row["file"]).exists() for row in found["outcomes"])


def test_a_worker_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    class Gone(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("killed\nby the host"))
            return future

    workers = pool.Pool(Gone(), 2, bool)
    with pytest.raises(pool.WorkError, match=r"is lost: killed by the host$"):
        exploration.explore(job(), 9, workers, Shelf(str(tmp_path), force=False))


def test_a_worker_of_another_version_does_nothing() -> None:
    with pytest.raises(
        ConfigError, match=r"are for lapis 0\.0, and a worker has lapis"
    ):
        Explorer(job(versions="lapis 0.0"))


def test_the_recording_kept_is_of_a_run_with_as_little_done_as_possible() -> None:
    def result(number: int, *disturbances: str) -> Result:
        end = Observed("halted", "", ("halted",), (), (), "", met=False)
        return Result(number, 0, end, disturbances, 1, 0, 1)

    outcomes = Outcomes()
    kept = [
        outcomes.add(each) is not None
        for each in (
            result(1, "drop IPI 1", "drop IPI 2"), result(3, "drop IPI 9"),
            result(5, "drop IPI 4"), result(6), result(8),
        )
    ]  # fmt: skip
    assert kept == [True, True, False, True, False]
    (group,) = outcomes.groups.values()
    assert (group.count, group.undisturbed, group.first) == (5, 2, 1)
    assert group.best.number == 6


def test_switches_count_changes_of_the_vcpu() -> None:
    steps: list[plan.Step] = [
        Turn(0, 5),
        plan.Disturbance("drop", 1).act,
        Turn(0, 1),
        Turn(1, 1),
        Turn(0, 1),
    ]
    assert switches(steps) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("explore", RACE, "--schedules", "0"), "0 schedules"),
        (("explore", RACE, "--limit", "0"), "limit of 0"),
        (("explore", RACE, "-j", "-1"), "-1 jobs"),
        (("explore", RACE, "-j", "257"), "257 jobs"),
        (("explore", RACE, "-j", "2", "--dask", "tcp://x:1"), "exclude each other"),
        (("explore", RACE, "--lint", "nothing"), "there is no lint 'nothing'"),
        (("explore", RACE, "--lint", "isrvec", "--until", "1"), "exclude each other"),
        (("explore", RACE, "--never", "1", "--until", "1"), "exclude each other"),
        (
            ("explore", RACE, "--never", "1", "--never-lint", "isrvec"),
            "--never '1' and --never-lint 'isrvec' exclude each other",
        ),
        (("explore", RACE, "--never-lint", "nothing"), "there is no lint 'nothing'"),
        (("explore", RACE, "--never", "stop ="), "'stop =' is not a condition"),
        (("explore", RACE, "--budget", "0"), "'0' is not a number of seconds"),
        (("explore", RACE, "--budget", "inf"), "more than 0 and at most 10,000,000"),
        (("explore", RACE, "--budget", "1 s"), "'1 s' is not a number of seconds"),
        (("shrink", RACE, "--until", "1", "--budget", "-1"), "number of seconds"),
        (("explore", RACE, "--until", "stop ="), "'stop =' is not a condition"),
        (("explore", RACE, "--until", "vcpu[2].state"), "no vCPU 2; they are 0 to 1"),
        (("explore", RACE, "--until", "u8(1 << 40)"), "has no value"),
        (("explore", RACE, "--until", "u8('x') == 0"), "there is no symbol 'x'"),
        (("explore", RACE, "--until", "u8(lints)"), "one address, or the name of"),
        (("explore", RACE, "--until", "1 and u8(1, 2)"), "u8(1, 2): one address"),
        (("explore", RACE, "--answer", "mmio"), "rule 'mmio'"),
        (("explore", RACE, "--ipis", "eat"), "'eat' is not one of"),
        (("explore", "nowhere"), "neither an embedded guest"),
        (("explore", RACE, "--out", SPIN), "cannot be used"),
        (("shrink", RACE), "shrink needs --until"),
        (("shrink", SPIN, "--until", "1"), "is not a recording of Lapis"),
        (("shrink", "nowhere", "--until", "1"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], sentence: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lapis: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("address", "why"), [("nonsense", "missing port"), ("x://y:1", "unknown address")]
)
def test_an_address_that_is_none_is_one_sentence(
    address: str, why: str, tmp_path: Path, capsys: Captured
) -> None:
    pytest.importorskip("distributed")
    assert main(["explore", RACE, "--dask", address, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lapis: Dask scheduler {address!r}: {why}")
    assert error.count("\n") == 1


def test_recordings_are_not_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    few = (RACE, "--schedules", "2", "-j", "1", "--ipis", "as-sent")
    (row,) = explored(capsys, *few)["outcomes"]
    assert row["file"].startswith("lapis-explore/suspended-")
    assert main(["explore", *few]) == 2
    assert "'lapis-explore' holds recordings already" in capsys.readouterr().err
    assert explored(capsys, *few, "--force")["outcomes"] == [row]
    shrink = ["shrink", row["file"], "--until", '"d" in console', "--tries", "5"]
    assert main(shrink) == 0
    assert main(shrink) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*shrink, "--force"]) == 0


def test_what_is_there_when_the_tries_are_used_up_still_comes_about(
    tmp_path: Path,
) -> None:
    explorer = Explorer(job(kinds=("drop",)))
    number = next(n for n in range(1, 99) if explorer.run(n).outcome.stop == "halted")
    file = tmp_path / "halted.lapis"
    file.write_bytes(explorer.record(number))
    for stopped, tries in ((bool, 1), (lambda: True, 100)):
        done = reduction.reduce(
            named.find(str(file)), Goal(discover().extensions, LOST),
            discover().extensions,
            tries=tries, stopped=stopped,
        )  # fmt: skip
        assert not done.shrunk.complete
        assert done.shrunk.tries <= 1
        file.with_name("less.lapis").write_bytes(done.file)
        assert verified(str(file.with_name("less.lapis"))).divergence is None


def test_a_run_that_never_ends_is_cut_off(tmp_path: Path, capsys: Captured) -> None:
    (row,) = explored(
        capsys, SPIN, "--limit", "5000", "--schedules", "3", "-j", "1",
        "--out", str(tmp_path),
    )["outcomes"]  # fmt: skip
    assert (row["stop"], row["text"], row["count"]) == ("budget", "", 3)
    assert 4900 < row["retired"] <= 5000
    assert verified(row["file"]).divergence is None


def test_what_never_comes_about_cannot_be_shrunk(
    tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "fine.lapis"
    file.write_bytes(Explorer(job()).record(0))
    assert main(["shrink", str(file), "--until", LOST]) == 2
    assert f"{LOST!r} never holds in this recording" in capsys.readouterr().err
    assert files(tmp_path).keys() == {"fine.lapis"}


def test_a_turn_may_end_where_nothing_can_be_disassembled() -> None:
    guest = str(Path(__file__).parents[1] / "guests" / "jump-to-hole.bin")
    extensions = discover().extensions
    options = SessionOptions(guest, cpus=1, memory="2M")
    driver = Driver(open_session(options, extensions))
    assert ends_of(driver, [Turn(0, 100)], Goal(extensions)) == ["0xe0000000"]
