"""`lapis.explore` and `lapis.shrink`: what they say, and that it is replayed."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

import lapis
from lapis.options import MachineOptions
from lapis_plugins.host import discover
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying

GUESTS = Path(__file__).parents[1] / "guests"
PASSED = '"passed" in console'


def verified(path: Path) -> replaying.Verdict:
    recording = reader.read(str(path))
    session = replaying.session_of(recording, discover().extensions)
    return replaying.verify(session, recording)


def explored(bug: str, schedules: int = 60) -> lapis.Exploration:
    return lapis.explore(
        GUESTS / f"smp-{bug}.bin", memory="2M", always=PASSED, schedules=schedules,
        limit=20_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bug", "stop", "printed"),
    [
        ("lost-wakeup", "halted", ""),
        ("lost-update", "suspended", "wrong count"),
        ("deadlock", "budget", ""),
    ],
)
def test_each_planted_bug_is_found_and_its_shrunk_recording_comes_to_it(
    bug: str, stop: str, printed: str, tmp_path: Path
) -> None:
    found = explored(bug)
    assert not found.holds
    assert found.found is not None
    assert (found.found.came_to.stop, found.found.came_to.console) == (stop, printed)
    path = found.save(tmp_path / "a.lapis")
    shrunk = found.shrink(path, tries=60)
    assert shrunk.after.switches < shrunk.before.switches
    verdict = verified(path)
    assert (verdict.divergence, verdict.hashes) == (None, 1)
    with lapis.replay(path) as again:
        again.goto("end")
        assert again.console.get("com1", b"").decode() == printed
        ends = {vcpu.state for vcpu in again.vcpus}
        assert ends == {{"budget": "running"}.get(stop, stop)}


def test_of_the_repaired_kernel_it_always_holds() -> None:
    found = explored("repaired", 60)
    assert found.holds
    assert (found.runs, found.found, found.condition) == (60, None, PASSED)
    (outcome,) = found.outcomes
    assert outcome.came_to.met
    with pytest.raises(lapis.ConfigError, match="nothing was found"):
        found.shrink("no.lapis")


def test_with_a_bound_all_schedules_are_run_and_said() -> None:
    good = bounded("repaired", always=PASSED)
    assert (good.holds, good.complete, good.where) == (True, True, "")
    assert good.coverage is not None
    assert [row.preemptions for row in good.coverage.schedules] == [0, 1]
    assert good.runs == sum(row.done for row in good.coverage.schedules) > 2
    assert f"{good.runs} schedules with at most 1 preemption" in good.text
    assert good.text.endswith("\ncomplete")


def test_what_a_bound_found_is_saved_and_stays_if_nothing_can_be_taken_away(
    tmp_path: Path,
) -> None:
    bad = bounded("deadlock", always=PASSED)
    assert bad.found is not None
    assert bad.found.came_to.stop == "spinning"
    number = bad.found.run
    assert bad.where == f"schedule {number} of those with at most 1 preemption"
    path = bad.save(tmp_path / "a.lapis")
    before = path.read_bytes()
    shrunk = bad.shrink(path, tries=5)
    assert shrunk.after.switches >= shrunk.before.switches
    assert path.read_bytes() == before
    assert verified(path).divergence is None


def test_a_search_that_was_cut_is_not_complete() -> None:
    cut = bounded("repaired", limit=400, never='stop == "halted"')
    assert (cut.holds, cut.complete) == (True, False)
    with pytest.raises(lapis.ConfigError, match="bound=1 and ipis='drop' exclude"):
        bounded("repaired", ipis="drop")
    with pytest.raises(lapis.ConfigError, match="a bound of 99 preemptions"):
        bounded("repaired", bound=99)


def bounded(bug: str, **more: Any) -> lapis.Exploration:
    said = {"memory": "2M", "limit": 20_000, "bound": 1, **more}
    return lapis.explore(GUESTS / f"smp-{bug}.bin", **said)


def test_what_never_came_about_and_was_to_does_not_hold() -> None:
    found = lapis.explore("race", memory="16M", until='stop == "exit"', schedules=3)
    assert not found.holds
    assert (found.found, found.runs, found.verb) == (None, 3, "until")
    first = found.recording()
    assert first == found.recording(found.outcomes[0])


def test_another_process_has_the_same_plug_ins() -> None:
    mine = ExtensionsOf(("mine.py",))
    assert pickle.loads(pickle.dumps(mine)) == mine
    assert "ap-bringup" in pickle.loads(pickle.dumps(ExtensionsOf()))().scenarios


def test_shrinking_a_file_writes_another_one(tmp_path: Path) -> None:
    found = lapis.explore("race", memory="16M", never='stop == "halted"')
    path = found.save(tmp_path / "lost.lapis")
    before = path.read_bytes()
    with pytest.raises(lapis.RecordingError, match=r"lost.lapis"):
        found.save(path)
    shrunk = lapis.shrink(path, until='stop == "halted"', tries=30)
    assert shrunk.file == str(tmp_path / "lost-shrunk.lapis")
    assert path.read_bytes() == before
    assert verified(Path(shrunk.file)).divergence is None
    with pytest.raises(lapis.RecordingError, match="is there"):
        lapis.shrink(path, until='stop == "halted"', tries=1)
    with pytest.raises(lapis.ConfigError, match="never holds"):
        lapis.shrink(path, until='stop == "fault"', tries=1, force=True)
    with pytest.raises(lapis.ConfigError, match="needs until, always or lint"):
        lapis.shrink(path)


def test_what_cannot_be_explored_is_said() -> None:
    with pytest.raises(lapis.ConfigError, match="until='a' and never='b' exclude"):
        lapis.explore("race", until="a", never="b")
    with pytest.raises(lapis.ExpressionError, match="'a ===' is not a condition"):
        lapis.explore("race", until="a ===")
    with pytest.raises(lapis.ConfigError, match="IPIs 'lose': one of any, as-sent"):
        lapis.explore("race", ipis="lose")
    with pytest.raises(lapis.ConfigError, match="0 schedules: from 1"):
        lapis.explore("race", schedules=0)
    with pytest.raises(TypeError, match="no option 'cpsu' of a machine"):
        lapis.explore("race", cpsu=3)  # type: ignore[call-arg]


def test_a_machine_is_told_the_same_by_both() -> None:
    own = {"guest", "seed", "answers", "record", "plugins"}
    assert set(inspect.signature(lapis.open).parameters) == own | set(
        MachineOptions.__annotations__
    )


def test_rules_answer_in_a_session_too() -> None:
    with lapis.open(answers=["mmio 0xd0000000 = 0x1234"], memory="16M") as session:
        assert session.run(5_000_000).reason == "halted"
        assert b"device says 0x1234" in session.console["com1"]
    with pytest.raises(lapis.CommandError):
        lapis.open(answers=["nonsense"])
