"""q asks when something would be lost, wherever the session came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs.recordings import record
from rigs.screens import Driver, bringup, drive, spin

from lapis_plugins.host import discover
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_tui.screens.ask import AskScreen

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


def replayed(path: Path) -> Session:
    """Return a session as `lapis replay` opens it."""
    record(path, ("run 2000", "quantum 500", "run 2000")).release()
    recording = reader.read(str(path))
    session = replaying.session_of(recording, discover().extensions)
    session.read_only = True
    return session


def asks(it: Driver) -> bool:
    return isinstance(it.app.screen, AskScreen)


def test_a_replay_is_left_at_once_and_asked_about_after_a_fork(tmp_path: Path) -> None:
    async def looks_only(it: Driver) -> None:
        await it.press("c", "s", "home", "end", "left")
        await it.pilot.press("q")
        await it.until(lambda: it.app._exit)

    async def forks(it: Driver) -> None:
        await it.press("c", "F")
        await it.pilot.press("q")  # nothing is done on it yet
        await it.until(lambda: it.app._exit)

    async def goes_on(it: Driver) -> None:
        await it.press("c", "F", "s", "q")
        assert asks(it)
        assert "in no recording: 1 act." in it.text
        await it.press("n")
        assert it.app.screen is it.app.main
        assert it.view.now.branch == "branch-1"
        await it.press("home", "q")  # what was done is no less lost in the past
        assert asks(it)
        await it.pilot.press("y")
        await it.until(lambda: it.app._exit)

    for number, play in enumerate((looks_only, forks, goes_on)):
        drive(replayed(tmp_path / f"{number}.lapis"), play)


def test_while_the_guest_runs_it_asks_and_the_run_goes_on() -> None:
    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running and it.view.now.unsaved > 0)
        it.key("q")
        await it.until(lambda: isinstance(it.app.screen, AskScreen))
        it.key("n")
        await it.until(lambda: it.app.screen is it.app.main)
        retired = it.view.vcpu.retired
        await it.until(lambda: it.view.running and it.view.vcpu.retired > retired)
        it.key("q")
        await it.until(lambda: isinstance(it.app.screen, AskScreen))
        it.key("y")
        await it.until(lambda: it.app._exit)

    drive(spin(), play)


def test_what_is_recorded_is_left_at_once_also_while_it_runs(tmp_path: Path) -> None:
    session, path = spin(), tmp_path / "r.lapis"
    start_recording(session, str(path))

    async def play(it: Driver) -> None:
        it.key("c")
        await it.until(lambda: it.view.running)
        it.key("q")
        await it.until(lambda: it.app._exit)

    drive(session, play)
    session.close()
    assert reader.read(str(path)).state == "whole"


def test_a_recording_that_was_stopped_has_what_was_done_before_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.lapis"

    async def play(it: Driver) -> None:
        await it.command(f"record start {path}")
        await it.press("s")
        await it.command("record stop")
        await it.press("s", "q")
        assert "in no recording: 1 act." in it.text
        await it.pilot.press("y")
        await it.until(lambda: it.app._exit)

    drive(bringup(), play)
