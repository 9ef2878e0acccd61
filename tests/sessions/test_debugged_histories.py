"""A guest that uses its debug registers: recorded, replayed, gone back and forth in.

The guest is `tests/guests/processor-debug.asm`; the debugger's own breakpoint stands
at an instruction that the guest has armed, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs import machines, recordings

from lapis_engine.events import DebugHit
from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

GUEST = str(machines.GUESTS / "processor-debug.bin")


def session() -> Session:
    options = SessionOptions(GUEST, cpus=1, memory="16M")
    return open_session(options, discover().extensions)


def done(it: Session, line: str) -> None:
    outcome = it.execute(line)
    assert outcome.ok, (line, outcome.error)


def hits(it: Session) -> list[DebugHit]:
    events = [each.event for each in it.machine.log.last(4000)]
    return [e for e in events if isinstance(e, DebugHit)]


def test_every_instruction_around_hits_can_be_gone_back_to() -> None:
    """Another machine, run singly and never put back, is the oracle."""
    oracle = session()
    done(oracle, "catch debug")
    done(oracle, "run")
    assert len(hits(oracle)) == 1
    start = oracle.machine.vcpus[0].retired
    states = []
    for _ in range(120):
        states.append(Digester(oracle.machine).digest())
        oracle.machine.run(1)
    assert len(hits(oracle)) > 1
    it = session()
    done(it, f"run {start + 119}")
    for at in range(118, 0, -1):
        done(it, "reverse-step")
        assert Digester(it.machine).digest() == states[at], at


def test_a_recording_replays_with_the_users_breakpoint_on_an_armed_place(
    tmp_path: Path,
) -> None:
    first = session()
    done(first, "run")
    at = next(e for e in hits(first) if e.what == "execute").address
    path = tmp_path / "debugged.lapis"
    lines = (
        f"break {at:#x}", "run", "run 1", "reverse-step", "run 200",
        f"delete {at:#x}", "run", "run",
    )  # fmt: skip
    it = recordings.record(path, lines, GUEST, cpus=1, memory="16M", close=False)
    assert [e.dr for e in hits(it)] == [e.dr for e in hits(first)]
    it.close()
    assert recordings.verify(path).divergence is None
