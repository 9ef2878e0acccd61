"""Ends from outside: signals and closed terminals leave a whole recording."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.start import start_recording
from lapis_tui import ending
from lapis_tui.app import LapisApp

if TYPE_CHECKING:
    from collections.abc import Iterator

LAPIS = (sys.executable, "-m", "lapis_tui")
SPIN = str(Path(__file__).parents[1] / "guests" / "spin.bin")
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_long_run_and_the_recording_is_whole(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "r.lapis"
    command = [
        *LAPIS, "exec", SPIN, "--record", str(path),
        "-c", "quantum 17", "-c", "run 900000000000",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stderr is not None
        while "run" not in it.stderr.readline():
            pass
        it.send_signal(number)
        rest = it.stderr.read()
        assert it.wait() == -number
    assert rest == f"lapis: {number.name}: recorded to {str(path)!r}\n"
    assert reader.read(str(path)).state == "whole"


def test_what_a_second_signal_means() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with ending.listening() as end:
        signal.raise_signal(signal.SIGHUP)
        assert (end.number, end.status, end.pace(5)) == (signal.SIGHUP, 129, 0)
        signal.raise_signal(signal.SIGHUP)  # a terminal that is closed sends it twice
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # it ends at once
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ending.listening() as end:
            signal.raise_signal(signal.SIGHUP)
            assert not end.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Terminal:
    """A terminal with the debugger on it."""

    def __init__(self, path: Path) -> None:
        """Record to `path`; return once there is a picture."""
        pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
        self.tcgetattr = termios.tcgetattr
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (30, 100))
        self.before = self.tcgetattr(self.slave)
        self.seen = b""
        command = [*LAPIS, "ap-bringup", "--record", str(path)]
        self.it = subprocess.Popen(
            ["setsid", "-c", *command],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
        )  # fmt: skip
        self.read_until(b"stopped")

    def read_until(self, text: bytes) -> None:
        while text not in self.seen:
            self.seen += os.read(self.master, 65536)

    def read_to_end(self) -> bytes:
        """Return what comes until it has ended, and after."""
        at = len(self.seen)
        while self.it.poll() is None:
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return self.seen[at:]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    it = Terminal(tmp_path / "r.lapis")
    yield it
    for number in (it.master, it.slave):
        try:
            os.close(number)
        except OSError:
            continue
    it.it.kill()
    it.it.wait()


def test_a_signal_restores_the_terminal_and_closes_the_recording(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.it.send_signal(signal.SIGTERM)
    last = terminal.read_to_end()
    assert terminal.it.wait() == -signal.SIGTERM
    on, off = (last.rfind(b"\x1b[?1049" + way) for way in (b"h", b"l"))
    assert on < off
    for mode in (b"[?25h", b"[?1000l", b"[?1003l", b"[?1006l", b"[?1004l", b"[<u"):
        assert mode in last
    assert b"\x1b[?2004h" not in last[last.rfind(b"\x1b[?2004l") :]
    assert b"lapis: SIGTERM: recorded to" in last[off:]
    assert terminal.tcgetattr(terminal.slave) == terminal.before
    assert reader.read(str(tmp_path / "r.lapis")).state == "whole"


def test_a_terminal_that_is_closed_ends_it_with_a_whole_recording(
    terminal: Terminal, tmp_path: Path
) -> None:
    os.close(terminal.slave)
    os.close(terminal.master)
    assert terminal.it.wait() == -signal.SIGHUP
    assert reader.read(str(tmp_path / "r.lapis")).state == "whole"


def test_a_thread_that_fails_ends_the_debugger_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.lapis"
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    start_recording(session, str(path))
    app = LapisApp(session, ending.Ending())
    thread = threading.Thread(name="panes")

    async def fails() -> None:
        async with app.run_test():
            app.fail(threading.ExceptHookArgs((OSError, OSError("gone"), None, thread)))
            app._look()
            assert app._exit

    asyncio.run(fails())
    assert app.failures == ["thread 'panes' failed: OSError: gone"]
    assert not app.busy
    session.close()
    assert reader.read(str(path)).state == "whole"


def test_a_signal_on_the_way_back_does_not_wait_for_the_way(tmp_path: Path) -> None:
    path = tmp_path / "r.lapis"
    command = [
        *LAPIS, "exec", SPIN, "--record", str(path),
        "-c", "run 3000000", "-c", "goto 2999999", "-c", "run 7",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stderr is not None
        while "> goto" not in it.stderr.readline():
            pass
        it.send_signal(signal.SIGTERM)
        rest = it.stderr.read()
        assert it.wait() == -signal.SIGTERM
    assert "> run 7" not in rest
    assert f"lapis: SIGTERM: recorded to {str(path)!r}\n" in rest
    found = reader.read(str(path))
    assert found.state == "whole"
    assert found.branches[0].acts[-1].retired == 3_000_000


def test_a_way_that_is_left_leaves_the_machine_at_a_checkpoint() -> None:
    session = open_session(SessionOptions(SPIN), discover().extensions)
    assert session.execute("run 300000").ok
    end = ending.Ending()
    end.ask(signal.SIGTERM)
    outcome = session.execute("goto 299999", pace=end.pace, watch=end.watch)
    assert not outcome.ok
    assert "the machine is left on the way" in outcome.error
    # It is where it says it is, and goes on from there.
    at = session.timeline.spot.at
    assert at.retired < 300_000
    assert sum(vcpu.retired for vcpu in session.machine.vcpus) == at.retired
    assert session.execute("goto end").ok
    assert session.timeline.at_end


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_an_export_and_leaves_no_draft(
    tmp_path: Path, number: signal.Signals
) -> None:
    made, out = tmp_path / "r.lapis", tmp_path / "out.json"
    session = open_session(SessionOptions(SPIN), discover().extensions)
    start_recording(session, str(made))
    assert session.execute("run 2000000").ok
    session.close()
    session.release()
    command = [*LAPIS, "session", "export", str(made), "perfetto", "-o", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        while not Path(f"{out}.new").exists():
            assert it.poll() is None
        it.send_signal(number)
        rest = it.stderr.read()
        assert it.wait() == -number
    assert (
        rest == f"lapis: {number.name}: broken off, and {str(out)!r} is not written\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.lapis"]
