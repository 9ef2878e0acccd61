"""A fault of ours in the session: it is told, reported, and the recording is saved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.recordings import verify
from rigs.screens import Driver, bringup, drive

from lapis_engine.errors import EngineError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.start import start_recording
from lapis_sessions.session import Session
from lapis_tui import failure
from lapis_tui.kept import Kept
from lapis_tui.screens.ask import AskScreen


def planted(session: Session, quantum: int) -> None:
    """Change the machine behind the back of its acts, and fail in the midst of it."""
    session.machine.schedule.quantum = quantum + 1
    raise RuntimeError("planted \x1b[2J")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(Session, "set_quantum", planted)
    return bringup()


def test_the_dialog_says_what_failed_what_is_saved_and_what_to_report(
    faulty: Session, tmp_path: Path
) -> None:
    path, state = tmp_path / "r.lapis", tmp_path / "state"
    start_recording(faulty, str(path))

    async def play(it: Driver) -> None:
        await it.press("s", "s")
        await it.command("quantum 16")
        assert isinstance(it.app.screen, AskScreen)
        text = " ".join(it.text.split())
        assert "`quantum 16` failed: RuntimeError: planted \\x1b[2J" in text
        assert "The recording is saved" in text
        assert "y quit n stay" in text
        assert reader.read(str(path)).state == "whole"
        (file,) = state.glob("failure-*.txt")
        assert "What to report is in" in text
        told = file.read_text("utf-8")
        for wanted in (
            "RuntimeError: planted", "version     lapis ", "started as  ",
            str(path), "\n  step\n  step\n  quantum 16\n", "in planted",
        ):  # fmt: skip
            assert wanted in told
        assert "\x1b" not in told

    drive(faulty, play, (80, 25), Kept(state / "screen.json"))
    assert verify(path).divergence is None  # what was done before, and no more
    (branch,) = reader.read(str(path)).branches
    assert {act.verb for act in branch.acts} == {"step"}


def test_who_stays_sees_the_last_picture_and_nothing_more_is_done(
    faulty: Session,
) -> None:
    async def play(it: Driver) -> None:
        await it.press("s", "s")
        await it.command("quantum 16")
        assert "There was no recording" in it.text
        assert "could not be written" in it.text
        await it.press("n")
        assert it.view.vcpu.retired == 2
        assert "the session failed: RuntimeError: planted" in it.rows[-2]
        await it.press("s")
        assert "the session failed, and does no more: q quits" in it.rows[-2]
        await it.command("step")
        assert "the session failed, and does no more: q quits" in it.text
        await it.press("escape")
        await it.go("results")
        await it.press("z")
        assert "Lapis failed. This is all" in it.text  # the report, to be copied
        await it.press("2", "f1", "escape")
        await it.pilot.press("q")  # the acts are in no file, and it is too late to ask
        assert it.app._exit

    drive(faulty, play)


def test_y_quits(faulty: Session) -> None:
    async def play(it: Driver) -> None:
        await it.command("quantum 16")
        await it.pilot.press("y")
        assert it.app._exit

    drive(faulty, play)


def test_a_recording_that_cannot_be_closed_is_told() -> None:
    class Broken:
        path, name = Path("r.lapis"), "r.lapis.partial"
        failed, acts = "", 0

        def close(self, *, intact: bool) -> None:
            assert not intact
            raise ValueError("no way")

    session = bringup()
    session.writer = Broken()  # type: ignore[assignment]  # as little as it takes
    found = failure.of(EngineError("odd"), ["step"], session)
    assert found.saved == (
        "The recording could not be closed: ValueError: no way; what was written is "
        "in r.lapis.partial"
    )


PLANTED = """
import sys
from lapis_sessions.session import Session
from lapis_tui.cli.main import main

def planted(session, quantum):
    raise RuntimeError("planted")

Session.set_quantum = planted
sys.exit(main(sys.argv[1:]))
"""


def test_the_status_tells_of_it_and_so_does_standard_error(tmp_path: Path) -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    script, path = tmp_path / "planted.py", tmp_path / "r.lapis"
    script.write_text(PLANTED)
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (25, 80))
    seen = b""

    def read_until(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            seen += os.read(master, 65536)

    command = [sys.executable, str(script), "ap-bringup", "--record", str(path)]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as it:
        read_until(b"stopped")
        os.write(master, b"s:quantum 16\r")
        read_until(b"stay, to look")
        os.write(master, b"y")
        read_until(b"lapis: report: ")
        read_until(b".txt\r\n")
        assert it.wait() == 1
    told = seen[seen.rfind(b"\x1b[?1049l") :].decode()
    for number in (master, slave):
        os.close(number)
    assert "lapis: the session failed: RuntimeError: planted." in told
    assert f"The recording is saved: {path}" in told
    (file,) = (tmp_path / "state").rglob("failure-*.txt")
    assert f"lapis: report: {file}" in told
    assert verify(path).divergence is None
