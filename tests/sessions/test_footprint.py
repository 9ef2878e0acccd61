"""A process may be told how much memory to take, and leaves none behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rigs import machines, recordings

from lapis_engine.events import InitReceived
from lapis_engine.replay import capture
from lapis_engine.replay.digest import Digester
from lapis_sessions import footprint
from lapis_sessions.timeline.holdings import Holdings
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from lapis_engine.replay.capture import Checkpoint
    from lapis_sessions.session import Session

MIB = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="counts by /proc")


def _recorded(path: Path, lines: tuple[str, ...]) -> Session:
    return recordings.record(path, lines, close=False)


def test_a_run_stops_when_the_process_takes_more_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _recorded(tmp_path / "x.lapis", ())
    taken = count(99 * MIB, MIB // 2)
    monkeypatch.setattr(footprint, "resident", lambda: next(taken))
    monkeypatch.setattr(footprint, "LOOK", 5_000)
    session.memory_limit = 100 * MIB
    outcome = session.execute("run 1000000")
    assert outcome.ok
    assert outcome.result["stop"] == "memory-limit"
    assert outcome.result["retired"] == 15_000  # looked at 99, 99.5, 100 and 100.5
    assert "takes 101 MiB" in outcome.text
    assert "limit is 100 MiB (--memory-limit)" in outcome.text
    again = session.execute("step")
    assert again.result["retired"] == 0
    digest = Digester(session.machine).digest()
    session.close()
    verdict = recordings.verify(tmp_path / "x.lapis")
    assert verdict.divergence is None
    assert verdict.digest == digest


def test_a_way_back_over_the_limit_leaves_the_machine_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _recorded(tmp_path / "x.lapis", ("run 20000", "nmi 1", "run 20000"))
    before = session.timeline.spot, Digester(session.machine).digest()
    session.memory_limit = 100 * MIB
    monkeypatch.setattr(footprint, "resident", lambda: 101 * MIB)
    for line in ("goto 12345", "reverse-step", "reverse-continue"):
        outcome = session.execute(line)
        assert not outcome.ok, line
        assert "takes 101 MiB" in outcome.error
        assert "limit is 100 MiB (--memory-limit)" in outcome.error
        now = session.timeline.spot, Digester(session.machine).digest()
        assert now == before, line
    monkeypatch.setattr(footprint, "resident", lambda: 99 * MIB)
    assert session.execute("goto 12345").ok
    session.close()


@pytest.mark.parametrize("command", [("replay", "--verify"), ("session", "verify")])
def test_a_proof_over_the_limit_says_so(
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "x.lapis"
    recordings.record(path, ("run 20000", "nmi 1", "run 20000"))
    monkeypatch.setattr(footprint, "resident", lambda: 101 * MIB)
    line = [*command, str(path), "--memory-limit"]
    assert main([*line, "100M"]) == 2
    assert "limit is 100 MiB (--memory-limit)" in capsys.readouterr().err
    assert main([*line, "200M"]) == 0


def test_a_limit_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    free = _recorded(tmp_path / "free.lapis", ())
    held = _recorded(tmp_path / "held.lapis", ())
    held.memory_limit = 1 << 40
    results = [s.execute("run 30000").result for s in (free, held)]
    assert results[0] == results[1]
    digests = {Digester(s.machine).digest() for s in (free, held)}
    assert len(digests) == 1
    free.close()
    held.close()


@linux
def test_the_limit_is_an_option_and_named_when_it_is_no_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "x.lapis")
    exec_ = ["exec", "ap-bringup", "--record", path]
    assert main([*exec_, "-c", "run 100", "--memory-limit", "1M"]) == 0
    assert "stopped (memory-limit)" in capsys.readouterr().out
    assert main(["replay", path, "--verify"]) == 0
    capsys.readouterr()
    assert main([*exec_, "--force", "-c", "run", "--memory-limit", "much"]) == 2
    assert "--memory-limit 'much' is not a size" in capsys.readouterr().err


def test_no_memory_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_left(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lapis_sessions.opening.build", none_left)
    monkeypatch.setattr("lapis_sessions.opening.open_session", lambda *_: none_left(0))
    assert main(["exec", "ap-bringup", "-c", "regs"]) == 2
    assert capsys.readouterr().err == "lapis: there is no memory left for this\n"


def _taken() -> tuple[int, int, int]:
    gc.collect()
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").count("\n")
    return len(os.listdir("/proc/self/fd")), maps, threading.active_count()  # noqa: PTH208 - only counted


@linux
def test_sessions_that_are_closed_leave_nothing(tmp_path: Path) -> None:
    def once(number: int) -> None:
        path = tmp_path / f"{number}.lapis"
        recordings.record(path, ("run 12000", "nmi 2", "goto 100", "reverse-step"))
        assert recordings.verify(path).divergence is None

    for number in range(2):  # what is kept once is kept
        once(number)
    files, maps, threads = _taken()
    before = footprint.resident()
    for number in range(2, 14):
        once(number)
    after = _taken()
    assert after[0] <= files
    assert after[1] <= maps + 12
    assert after[2] <= threads
    assert footprint.resident() - before < 12 * MIB  # a machine takes 3 MB at least


def test_events_that_only_checkpoints_hold_are_counted_once() -> None:
    machine = machines.ap_bringup(1)
    held = Holdings()

    def noted(count: int) -> Checkpoint:
        machine.log.note(*(InitReceived(0, "a test") for _ in range(count)))
        return capture.take(machine)

    kept = [noted(200), noted(50), noted(10_000)]
    grown = []
    for checkpoint in kept:
        before = held.bytes
        held.add(checkpoint)
        grown.append(held.bytes - before)
    assert grown[1] - grown[0] < 0, "200 of its 250 are in the first as well"
    assert grown[2] - grown[1] == (capture.EVENTS - 50) * 256
    for checkpoint in kept[::-1]:
        held.remove(checkpoint)
    assert (held.bytes, len(held)) == (0, 0)
