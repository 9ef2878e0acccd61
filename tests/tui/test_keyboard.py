"""Keys that come faster than the screen: typed ahead, pasted, or during work."""

from __future__ import annotations

import asyncio
from threading import Event as Flag
from typing import TYPE_CHECKING

from rigs.recordings import record
from rigs.screens import NAMES, Driver, bringup, drive, spin
from textual.events import Key, Paste

from lapis_plugins.host import discover
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_tui.panes.command import CommandInput
from lapis_tui.screens.ask import AskScreen

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way


def _at_once(it: Driver, *keys: str) -> None:
    """Let all keys be there before the first of them is looked at."""
    for key in keys:
        character = key if len(key) == 1 else None
        name = NAMES.get(key, "colon" if key == ":" else key)
        it.app.post_message(Key(name, character))


async def _burst(it: Driver, *keys: str) -> None:
    _at_once(it, *keys)
    arrived = asyncio.Event()
    it.app.call_later(arrived.set)
    await it.until(lambda: arrived.is_set() and it.app.idle)
    await it.pilot.pause()


def test_a_command_in_one_burst_lands_on_the_command_line() -> None:
    session = bringup()

    async def play(it: Driver) -> None:
        await _burst(it, *":quantum 500", "enter")
        assert not it.app._exit
        assert session.machine.schedule.quantum == 500
        assert "quantum 500 instructions" in it.rows[-2]
        await _burst(it, *":mem 0x10000 16", "enter", "s", "s", "b")
        assert it.view.vcpu.retired == 2
        assert it.view.now.breakpoints == (0x10002,)

    drive(session, play)


def test_a_burst_of_everything_does_it_in_order() -> None:
    async def play(it: Driver) -> None:
        await _burst(it, "c", "a", *"0x1234", "enter", "c")
        assert {v.state for v in it.view.now.vcpus} == {"halted"}
        assert "device says 0x1234" in it.text
        await _burst(it, "i", "tab", "end", "backspace", "backspace", *"41", "enter")
        assert it.view.now.vcpus[0].apic.irr == (0x41,)
        await _burst(it, "question_mark", "q", ":", *"where", "enter")
        assert "at instruction" in it.rows[-2]

    drive(bringup(), play)


def test_what_is_pasted_after_the_colon_lands_there_and_elsewhere_does_nothing() -> (
    None
):
    async def play(it: Driver) -> None:
        it.app.post_message(Paste("sssq"))
        _at_once(it, ":")
        it.app.post_message(Paste("step 3\n"))
        await _burst(it, "enter")
        assert it.view.vcpu.retired == 3
        assert it.view.now.events_total == 0

    drive(bringup(), play)


def test_keys_ahead_of_a_long_run_are_given_up_and_that_is_said() -> None:
    async def play(it: Driver) -> None:
        _at_once(it, "c", "s", "s", "q")
        await it.until(lambda: "(3 keys were not done)" in it.rows[-2])
        assert "the guest runs: Ctrl-C breaks in first" in it.rows[-2]
        await _burst(it, "ctrl+c")
        assert "broken off" in it.rows[-2]
        at = it.view.now.now
        await _burst(it, "s")
        assert it.view.now.now == at + 1

    drive(spin(), play)


def test_a_line_entered_while_the_guest_runs_waits_in_its_field() -> None:
    async def play(it: Driver) -> None:
        _at_once(it, "c")
        await it.until(lambda: it.view.running)
        _at_once(it, *":step 2", "enter", "!")
        field = it.app.main.query_one(CommandInput)
        await it.until(lambda: field.value == "step 2!")
        await it.until(lambda: "what is typed waits" in it.rows[-1])
        await _burst(it, "ctrl+c", "backspace")
        at = it.view.now.now
        await _burst(it, "enter")
        assert it.view.now.now == at + 2

    drive(spin(), play)


# Leaving.


def test_q_asks_only_when_something_would_be_lost(tmp_path: Path) -> None:
    async def quits_at_once(it: Driver) -> None:
        _at_once(it, "q")
        await it.until(lambda: it.app._exit)

    async def asks(it: Driver) -> None:
        for keys in ("q",), ("ctrl+q",), (":", "q", "enter"):
            await _burst(it, "s", *keys)
            assert isinstance(it.app.screen, AskScreen)
            assert "is in no recording" in it.text
            await _burst(it, "q", "s", "n")
            assert not isinstance(it.app.screen, AskScreen)
        assert it.view.vcpu.retired == 3
        _at_once(it, "q", "y")
        await it.until(lambda: it.app._exit)

    async def without_a_question(it: Driver) -> None:
        _at_once(it, "s", *":q!", "enter")
        await it.until(lambda: it.app._exit)

    async def recorded(it: Driver) -> None:
        await it.command(f"record start {tmp_path / 'a.lapis'}")
        await it.press("s")
        await quits_at_once(it)

    async def recorded_before(it: Driver) -> None:
        await it.press("s")
        await it.command(f"record start {tmp_path / 'b.lapis'}")
        await it.command("record stop")
        assert it.view.now.unsaved == 0
        await it.press("s")
        assert it.view.now.unsaved == 1
        await it.press("q")
        assert "1 act." in it.text

    for play in (quits_at_once, asks, without_a_question, recorded, recorded_before):
        session = bringup()
        drive(session, play)
        session.close()


# Replays.


def _replay(tmp_path: Path) -> Session:
    path = tmp_path / "a.lapis"
    record(path, ("run", "answer 0x1234", "run"), cpus=2)
    return replaying.session_of(reader.read(str(path)), discover().extensions)


def test_c_replays_to_the_end_and_q_leaves_at_once(tmp_path: Path) -> None:
    async def play(it: Driver) -> None:
        await _burst(it, "c")
        assert "end of main, where it stopped (halted)" in it.rows[-2]
        assert "as recorded: answer" in it.rows[-2]
        assert "device says 0x1234" in it.text
        assert {v.state for v in it.view.now.vcpus} == {"halted"}
        assert it.view.now.unsaved == 0
        _at_once(it, "q")
        await it.until(lambda: it.app._exit)

    drive(_replay(tmp_path), play)


def test_what_differs_asks_once_before_it_leaves_the_branch(tmp_path: Path) -> None:
    session = _replay(tmp_path)

    async def play(it: Driver) -> None:
        await it.command("catch exit")
        await it.press("c")
        at = it.view.now.now
        await _burst(it, "a", *"0x99", "enter")
        assert "leave main?" in it.text
        await _burst(it, "x", "s", "n")
        assert "nothing was done; this is still main" in it.rows[-2]
        assert (it.view.now.branch, it.view.now.now) == ("main", at)
        assert len(it.view.now.pending) == 1
        await _burst(it, "a", *"0x99", "enter")
        await _burst(it, "y")
        assert it.view.now.branch == "branch-1"
        assert "this left main for" in it.text
        await _burst(it, "c")
        assert "device says 0x99" in it.text.replace("0x0099", "0x99")
        await it.command("goto start")
        assert "to the end of branch-1" in it.rows[0]

    drive(session, play)


def test_a_way_back_shows_how_far_it_is_and_is_broken_off(tmp_path: Path) -> None:
    """The way waits, slice by slice, for the key that breaks it off."""
    session = _replay(tmp_path)
    pause, tell = Flag(), session.timeline.on_way
    assert tell is not None

    def slowly(way: Way) -> None:
        while True:
            tell(way)
            pause.wait(0.01)

    async def play(it: Driver) -> None:
        for key in ("ctrl+c", "escape"):
            await it.command("goto 3000")
            at = it.view.now
            session.timeline.on_way = slowly
            _at_once(it, *":goto 20000", "enter", "s", "s")
            await it.until(lambda: "« going, " in it.rows[0] and "%" in it.rows[0])
            assert "Ctrl-C" in it.rows[-1]
            _at_once(it, "s", "c")
            await it.until(lambda: "Ctrl-C breaks in first" in it.rows[-2])
            await _burst(it, key)
            assert "broken off at instruction" in it.rows[-2]
            session.timeline.on_way = tell
            assert (it.view.now.now, it.view.now.ahead) == (at.now, at.ahead)
            assert "going" not in it.rows[0]

    drive(session, play)
