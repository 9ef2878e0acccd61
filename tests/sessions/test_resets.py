"""Resets in a history: recorded, replayed, and gone back over.

The guest is `tests/guests/reset.asm`: four resets, in four ways, then HLT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs import machines, recordings

from lapis_engine.events import Rebooted
from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from lapis_sessions.session import Session

GUEST = str(machines.GUESTS / "reset.bin")
CAUSES = [
    ("reset", "port 0x92, fast reset"),
    ("reset", "port 0xcf9 = 0x06, hard reset"),
    ("reset", "8042 command 0xfe"),
]


def session(on_reset: str = "reboot") -> Session:
    options = SessionOptions(GUEST, cpus=2, memory="1M", on_reset=on_reset)
    return open_session(options, discover().extensions)


def done(it: Session, line: str) -> None:
    outcome = it.execute(line)
    assert outcome.ok, (line, outcome.error)


def reboots(it: Session) -> list[tuple[str, str]]:
    events = [each.event for each in it.machine.log.last(1000)]
    return [(e.how, e.text) for e in events if isinstance(e, Rebooted)]


def test_the_history_goes_on_over_resets() -> None:
    it = session()
    done(it, "run")
    assert reboots(it)[:3] == CAUSES
    assert [how for how, _ in reboots(it)[3:]] == ["triple-fault"]
    assert bytes(it.machine.consoles["com1"]) == b"12345"
    assert it.machine.vcpus[0].halted


def test_every_instruction_can_be_gone_back_to() -> None:
    """A second machine, run singly and never put back, is the oracle."""
    oracle, states = session(), []
    for _ in range(60):
        states.append(Digester(oracle.machine).digest())
        done(oracle, "run 1")
    it = session()
    done(it, "run 60")
    for at in range(59, 0, -1):
        done(it, "reverse-step")
        assert Digester(it.machine).digest() == states[at], at
    done(it, "run 30")
    assert Digester(it.machine).digest() == states[31]


def test_a_recording_says_it_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "resets.lapis"
    recordings.record(
        path, ("run 20", "reverse-step", "run"), GUEST, cpus=2, on_reset="reboot"
    )
    assert reader.read(str(path)).header.on_reset == "reboot"
    verdict = recordings.verify(path)
    assert verdict.divergence is None


def test_stop_is_the_default_of_old_recordings() -> None:
    assert session("stop").machine.vm.power_on is None
    it = open_session(SessionOptions(GUEST), discover().extensions)
    done(it, "run")
    assert it.machine.vm.suspended is not None


def test_the_command_line_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["exec", GUEST, "--memory", "1M", "--on-reset"]
    assert main([*words, "reboot", "-c", "run", "-c", "events"]) in {0, None}
    assert "the machine starts again" in capsys.readouterr().out
    assert main([*words, "sometimes", "-c", "run"])
    assert "stop or reboot" in capsys.readouterr().err
