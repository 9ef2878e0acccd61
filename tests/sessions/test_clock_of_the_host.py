"""The wall clock may say how often one looks, and never what happens."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings

from lapis_engine.replay.digest import Digester
from lapis_engine.replay.entries import DivergedError
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_sessions.timeline import again, keeper
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

FOLDER = Path(__file__).parents[1] / "fixtures" / "recordings" / "schema-1"
GUEST = "race"
LINES = (
    "run 3000", "run 5000000", "answer 0x1234", "run 5000000", "reverse-step 3",
    "goto 20000", "catch ipi", "reverse-continue", "catch delete", "goto #30",
    "break 0x10214", "goto end", "reverse-continue", "delete all", "nmi 1", "run 40000",
    "goto 28000", "last-change apic 1 isr", "last-write 0x9000", "goto end",
)  # fmt: skip
"""Every way to move, back and forth, and a fork."""


def ticking(seconds: float) -> Callable[[], float]:
    """A clock on which every look takes so long."""
    ticks = itertools.count()
    return lambda: next(ticks) * seconds


CLOCKS = {"too slow": 0.0000005, "honest": None, "too fast": 20.0}
"""Seconds between two looks. A slice is to take 4 to 16 ms: on the one clock all are
made as large as can be, on the other as small."""


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    seconds = CLOCKS[request.param]
    if seconds is not None:
        for module in (again, keeper):
            monkeypatch.setattr(module, "perf_counter", ticking(seconds))
    return str(request.param)


KNOWN: dict[str, Any] = {}
"""What the first clock came to."""


def same(what: str, found: Any) -> None:
    assert KNOWN.setdefault(what, found) == found


def told(session: Session) -> list[Any]:
    events = [(each.seq, each.at, each.event) for each in session.machine.log.last(999)]
    return [session.timeline.spot, Digester(session.machine).digest(), events]


def test_live_reverse_goto_and_the_recording_are_the_same(
    clock: str, tmp_path: Path
) -> None:
    options = SessionOptions("ap-bringup", cpus=3, memory="2M")
    session = open_session(options, discover().extensions)
    path = tmp_path / "a.lapis"
    start_recording(session, str(path))
    found = []
    for line in LINES:
        outcome = session.execute(line)
        found += [line, json.dumps(outcome.to_dict()), *told(session)]
    session.close()
    same("lines", found)
    recording = reader.read(str(path))
    same("acts", [(b.name, b.parent, b.acts) for b in recording.branches])
    verdict = recordings.verify(path)
    assert verdict.divergence is None, (clock, verdict.divergence.text)
    same("digest", verdict.digest)


@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.05, 0.1, 0.3, 5.0])
def test_back_from_where_it_stopped_is_another_place(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the way back keeps a checkpoint at the very end of what was done."""
    monkeypatch.setattr(keeper, "perf_counter", ticking(seconds))
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    for line in ("catch deliver", "run"):
        assert session.execute(line).ok
    assert session.timeline.spot.at.retired == 28_826
    assert session.execute("reverse-continue").ok
    assert session.timeline.spot.at.retired == 0


@pytest.mark.parametrize("name", ["branches", "fabric", "interference"])
def test_a_replay_is_the_same(clock: str, name: str) -> None:
    recording = reader.read(str(FOLDER / f"{name}.lapis"))
    session = replaying.session_of(recording, discover().extensions)
    found: list[Any] = []
    for branch in recording.branches:
        assert session.execute(f"branch {branch.name}").ok, clock
        found += told(session)
    same(f"replay {name}", found)


def test_what_never_comes_is_a_divergence_at_once(clock: str) -> None:
    """The machine waits for an answer long before the act is said to end."""
    recording = reader.read(str(FOLDER / "branches.lapis"))
    session = replaying.session_of(recording, discover().extensions)
    line = session.timeline
    first = line.branch.entries[0]
    far = first.end._replace(retired=first.end.retired + 100_000_000)
    line.branch.entries[0] = type(first)(first.act, first.start, far, first.reason)
    with pytest.raises(DivergedError, match="ended at instruction 28892") as raised:
        line.go(Spot(1, far))
    assert line.spot == Spot(0, first.start)
    assert session.machine.vcpu(0).retired == 0, clock
    same("message", str(raised.value))
