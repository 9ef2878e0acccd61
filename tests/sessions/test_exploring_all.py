"""`lapis explore --bound` runs all schedules there are: a slow model counts them.

`tests/guests/turns.asm` has no waiting in it: what its processors do between two places
where a preemption may come is listed below by hand, and the model interleaves that.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from guests import smp

from lapis_plugins.host import discover
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions.exploring import exploration, forks, pool, systematic
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.exploring.forks import Fork, Tenure
from lapis_sessions.exploring.searching import Searcher
from lapis_sessions.exploring.work import Job
from lapis_sessions.origin import SessionOptions
from lapis_sessions.platforms import origin_of
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine

GUESTS = Path(__file__).parents[1] / "guests"
TURNS = str(GUESTS / "turns.bin")
SMALL = ("--memory", "16M")
Captured = pytest.CaptureFixture[str]


def job(guest: str, cpus: int = 2, **more: Any) -> Job:
    options = SessionOptions(guest, cpus=cpus, memory="16M")
    origin = origin_of(options, discover().extensions)
    return Job(origin, ExtensionsOf(), 1, (), **more)


def explored(capsys: Captured, *arguments: str, status: int = 0) -> dict[str, Any]:
    assert main(["explore", *arguments, *SMALL, "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def verified(file: str) -> replaying.Verdict:
    recording = reader.read(file)
    return replaying.verify(
        replaying.session_of(recording, discover().extensions), recording
    )


# The model.

COUNTS = ("load", "store")
BSP = ("go", "sipi", *COUNTS, *COUNTS, "halt")
"""What the BSP does from INIT on, cut before the SIPI, before each access, the first of
which follows on the SIPI, and before HLT."""
AP = ("go", *COUNTS, "halt")
"""So for an AP from its start. Before that it takes INIT in, and waits for SIPI."""


def interleavings(cpus: int, bound: int) -> Iterator[tuple[int, int]]:
    """Yield for each schedule its preemptions, and what is counted in the end."""
    code = [BSP, *[AP] * (cpus - 1)]

    def going_on(
        at: list[int], taken: frozenset[int], memory: tuple[int, ...], cpu: int,
        used: int, *, moved: bool,
    ) -> Iterator[tuple[int, int]]:  # fmt: skip
        is_started = at[0] > BSP.index("sipi")
        others = [
            n for n in range(cpus)
            if n != cpu and at[n] < len(code[n])
            and (n == 0 or is_started or n not in taken)
        ]  # fmt: skip
        if moved and used < bound:
            for other in others:
                yield from going_on(at, taken, memory, other, used + 1, moved=False)
        blocks = cpu > 0 and not is_started
        if not blocks:
            step = code[cpu][at[cpu]]
            total, *loaded = memory
            if step == "load":
                loaded[cpu] = total
            if step == "store":
                total = loaded[cpu] + 1
            memory = (total, *loaded)
            at = [*at[:cpu], at[cpu] + 1, *at[cpu + 1 :]]
            blocks = step == "halt"
        taken |= {cpu}
        if not blocks:
            yield from going_on(at, taken, memory, cpu, used, moved=True)
        elif others:
            for other in others:
                yield from going_on(at, taken, memory, other, used, moved=False)
        else:
            yield used, memory[0]

    # The window begins behind the INIT, and the BSP may be preempted there.
    start = [0] * cpus
    yield from going_on(start, frozenset(), (0,) * (cpus + 1), 0, 0, moved=True)


def counted(cpus: int, bound: int) -> tuple[list[int], set[int]]:
    """Return how many there are with each number of preemptions, and all results."""
    found = list(interleavings(cpus, bound))
    many = [sum(used == n for used, _ in found) for n in range(bound + 1)]
    return many, {total for _, total in found}


@pytest.mark.parametrize(("cpus", "bound"), [(2, 0), (2, 3), (3, 2)])
def test_all_schedules_are_run_and_all_results_come_about(
    cpus: int, bound: int
) -> None:
    many, results = counted(cpus, bound)
    searcher = Searcher(job(TURNS, cpus))
    memory = searcher.driver.machine.vm.memory
    done, came = [0] * (bound + 1), set()
    waiting = [Fork()]
    shared = frozenset({0x700, 0x701})
    while waiting:  # without what is left out where a state is known
        fork = waiting.pop()
        found = searcher.run(fork, shared)
        if found.outcome is None:
            continue
        assert found.outcome.stop == "halted"
        done[fork.preemptions] += 1
        came.add(int.from_bytes(memory.peek(0x700, 2), "little"))
        waiting += forks.beside(fork, found)
        waiting += forks.aside(fork, found)
        if fork.preemptions < bound:
            waiting += forks.onward(fork, found)
        assert forks.shared(found.touched) == shared
    searcher.close()
    assert done == many
    assert came == results


@pytest.mark.parametrize(
    ("guest", "sends"),
    [("ap-bringup", "mov dword ptr [rbx + 0x300]"), (TURNS, "wrmsr")],
)
def test_a_preemption_may_come_on_either_side_of_what_sends_an_ipi(
    guest: str, sends: str
) -> None:
    searcher = Searcher(job(guest))
    machine = searcher.driver.machine
    whole = searcher.run(Fork(), frozenset())
    texts = {}
    for number, ran in whole.places:
        if whole.tenures[number].vcpu == 0 and ran:
            before = (*whole.tenures[:number], Tenure(0, ran))
            searcher.run(Fork(before, nth=9), frozenset())
            texts[number, ran] = _at(machine)
    number, ran = next(at for at, text in texts.items() if text.startswith(sends))
    assert (number, ran + 1) in texts
    searcher.close()


def _at(machine: Machine) -> str:
    """Return the instruction that vCPU 0 is at."""
    (line,) = machine.disassemble(0, count=1)
    return f"{line.mnemonic} {line.operands}"


@pytest.mark.parametrize("total", range(5))
def test_what_is_left_out_at_a_known_state_comes_about_elsewhere(
    total: int, tmp_path: Path, capsys: Captured
) -> None:
    _, results = counted(2, 3)
    found = explored(
        capsys, TURNS, "--bound", "3", "--until", f"stop and u16(0x700) == {total}",
        "-j", "1", "--out", str(tmp_path), status=0 if total in results else 1,
    )  # fmt: skip
    coverage = found["coverage"]
    if total not in results:
        assert (coverage["complete"], coverage["shared"]) == (True, 2)
        assert coverage["known"] > 0
        done = [row["done"] for row in coverage["schedules"]]
        assert done[:3] == counted(2, 3)[0][:3]
        assert sum(done) == found["runs"] == found["schedules"]


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[systematic.Coverage, list[Any]]:
    """Return what all schedules of the repaired kernel come to, by two processes."""
    wanted = job(str(smp.kernel("repaired")), until=smp.FAILED)
    shelf = Shelf(str(tmp_path_factory.mktemp("whole")), force=False)
    with pool.processes(2, bool) as workers:
        outcomes, coverage = systematic.explore(wanted, 2, workers, shelf)
    return coverage, list(outcomes.groups.values())


def test_the_repaired_kernel_never_fails_and_all_schedules_are_run(
    whole: tuple[systematic.Coverage, list[Any]],
) -> None:
    coverage, groups = whole
    assert coverage.complete
    assert coverage.done == [1, 20, 235]
    assert coverage.left == [0, 0, 0]
    assert coverage.shared == 14  # its seven words, ONLINE to DONE
    assert coverage.rounds == 2
    assert {group.outcome.console for group in groups} == {"passed"}
    assert not any(group.outcome.met for group in groups)
    assert sum(group.count for group in groups) == 256


def test_it_does_not_matter_how_many_run_them(
    whole: tuple[systematic.Coverage, list[Any]], tmp_path: Path, capsys: Captured
) -> None:
    coverage, groups = whole
    found = explored(
        capsys, str(smp.kernel("repaired")), "--bound", "2", "--never", smp.FAILED,
        "-j", "1", "--out", str(tmp_path),
    )  # fmt: skip
    assert (found["found"], found["ended_by"]) == (None, "schedules")
    assert [row["done"] for row in found["coverage"]["schedules"]] == coverage.done
    for row, group in zip(found["outcomes"], groups, strict=True):
        assert row["outcome"] == group.outcome.digest
        assert (row["count"], row["run"]) == (group.count, group.best.number)
        assert Path(row["file"]).read_bytes() == Path(group.file).read_bytes()
        assert verified(row["file"]).divergence is None


def test_a_cluster_comes_to_the_same(tmp_path: Path, capsys: Captured) -> None:
    distributed = pytest.importorskip("distributed")
    here, there = tmp_path / "here", tmp_path / "there"
    one = explored(capsys, TURNS, "--bound", "1", "-j", "1", "--out", str(here))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp",
        dashboard_address=None,
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        two = explored(
            capsys, TURNS, "--bound", "1", "--dask", address, "--out", str(there)
        )
    for row in (*one["outcomes"], *two["outcomes"]):
        file = row.pop("file")
        assert verified(file).divergence is None
    assert one == two


@pytest.mark.parametrize("bug", smp.BUGS)
def test_each_bug_is_found_and_shrunk(
    bug: str, tmp_path: Path, capsys: Captured
) -> None:
    verdict = smp.VERDICTS[bug]
    found = explored(
        capsys, str(smp.kernel(bug)), "--bound", "2", "--until", verdict, "-j", "1",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert found["ended_by"] == "goal"
    assert not found["coverage"]["complete"]
    (met,) = [row for row in found["outcomes"] if row["met"]]
    assert found["found"] == met["run"] == found["runs"] - 1
    shrunk = str(tmp_path / "shrunk.lapis")
    assert main(["shrink", met["file"], "--until", verdict, "--out", shrunk]) == 0
    capsys.readouterr()
    for file in (met["file"], shrunk):
        assert verified(file).divergence is None


def test_rules_answer_in_every_schedule(tmp_path: Path, capsys: Captured) -> None:
    found = explored(
        capsys, "ap-bringup", "--answer", "mmio 0xd0000000 = 0x1234", "--bound", "1",
        "-j", "1", "--out", str(tmp_path),
    )  # fmt: skip
    (end,) = found["outcomes"]
    assert (end["stop"], end["waiting"]) == ("halted", [])
    assert end["console"] == "2 processors\r\ndevice says 0x1234\r\n"
    assert found["coverage"]["complete"]
    assert found["runs"] > 5
    assert verified(end["file"]).divergence is None


def test_processors_that_spin_on_each_other_are_an_end(
    tmp_path: Path, capsys: Captured
) -> None:
    found = explored(
        capsys, str(smp.kernel("deadlock")), "--bound", "1", "--never",
        'stop == "spinning"', "-j", "1", "--out", str(tmp_path), status=1,
    )  # fmt: skip
    (met,) = [row for row in found["outcomes"] if row["met"]]
    assert met["text"].startswith("what is awake spins for ever: vCPU 0 at 0x")
    assert met["states"] == ["running", "running"]


def test_a_search_that_is_cut_is_not_complete(tmp_path: Path, capsys: Captured) -> None:
    kernel, never = str(smp.kernel("repaired")), ("--never", smp.FAILED)
    cut = explored(
        capsys, kernel, "--bound", "2", *never, "-j", "1", "--limit", "400",
        "--out", str(tmp_path / "limit"), status=1,
    )  # fmt: skip
    assert cut["outcomes"][-1]["stop"] == "budget"  # which is no "passed"
    cut = explored(
        capsys, kernel, "--bound", "0", "--never", 'stop == "halted"', "-j", "1",
        "--limit", "400", "--out", str(tmp_path / "cut"), status=3,
    )  # fmt: skip
    coverage = cut["coverage"]
    assert (coverage["cut"], coverage["complete"]) == (1, False)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2000

    with pool.processes(1, stopped) as workers:
        outcomes, half = systematic.explore(
            job(kernel), 2, workers, enough=exploration.never
        )
    assert not half.complete
    assert sum(half.done) == outcomes.runs
    assert 0 < outcomes.runs < 256
    assert sum(half.left) > 0


def test_one_processor_has_one_schedule(tmp_path: Path, capsys: Captured) -> None:
    found = explored(
        capsys, str(GUESTS / "hlt-loop.bin"), "--bound", "2", "-j", "1",
        "--out", str(tmp_path),
    )  # fmt: skip
    (end,) = found["outcomes"]
    assert (found["runs"], end["stop"]) == (1, "halted")
    assert found["coverage"]["complete"]
    assert verified(end["file"]).divergence is None

    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 50

    endless = job(str(GUESTS / "spin.bin"), limit=10**15)
    with pool.processes(1, stopped) as workers:
        outcomes, coverage = systematic.explore(endless, 0, workers)
    assert (outcomes.runs, coverage.left, coverage.complete) == (0, [1], False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--bound", "-1"), "a bound of -1 preemptions: from 0 to 16"),
        (("--bound", "17"), "a bound of 17 preemptions: from 0 to 16"),
        (("--bound", "x"), "'x' is not a valid integer"),
        (("--bound", "2", "--seed", "2"), "--bound 2 and --seed 2 exclude each other"),
        (("--bound", "2", "--schedules", "9"), "--schedules 9 exclude each other"),
        (("--bound", "2", "--ipis", "drop"), "--ipis drop exclude each other"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], sentence: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["explore", TURNS, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


NASM = shutil.which("nasm")


@pytest.mark.skipif(NASM is None, reason="nasm is not installed")
def test_the_guest_is_what_nasm_makes_of_its_source(tmp_path: Path) -> None:
    out = tmp_path / "out.bin"
    source = str(Path(TURNS).with_suffix(".asm"))
    subprocess.run([str(NASM), "-f", "bin", "-o", str(out), source], check=True)
    assert out.read_bytes() == Path(TURNS).read_bytes()
