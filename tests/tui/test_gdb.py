"""`lapis gdb` and the command `gdb`: how gdb comes to a session, and how it is left."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rigs.gdb_client import Client, framed, until
from rigs.screens import Driver, drive, spin
from rigs.session_files import recorded

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_tui.cli.main import main
from lapis_tui.console.doing import Doing
from lapis_tui.console.interrupts import Interrupts
from lapis_tui.console.plain import PlainFace
from lapis_tui.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

Captured = pytest.CaptureFixture[str]
SPIN = str(Path(__file__).parents[1] / "guests" / "spin.bin")
LAPIS = (sys.executable, "-m", "lapis_tui", "gdb", SPIN, "--memory", "1M")


class Beside:
    """Something that is done on a thread, until the end of a test."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self.result: Any = None
        self._do = do
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.result = self._do()

    def end(self) -> Any:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.result


def coming(path: Path) -> Client:
    """Come to a socket as soon as it is there."""
    until(path.exists)
    found: list[Client] = []

    def is_there() -> bool:
        try:
            found.append(Client(str(path)))
        except ConnectionRefusedError:
            return False
        return True

    until(is_there)
    return found[0]


# The program.


def test_one_after_the_other_is_served_until_a_signal_and_the_recording_is_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.lapis"
    command = [*LAPIS, "--port", "0", "-c", "step 3", "--record", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stderr is not None
        while "listening" not in (line := it.stderr.readline()):
            assert line
        told = re.fullmatch(
            r"lapis: gdb: listening on 127\.0\.0\.1:(\d+); in gdb type: "
            r"target remote :\1\n",
            line,
        )
        assert told, line
        where = ("127.0.0.1", int(told[1]))
        for count in (4, 5):
            client = Client(where)
            assert client.ask(b"vCont;s:1").startswith(b"T05")
            assert f"at instruction {count}," in client.monitor("where")
            if count == 4:
                client.detach()
            else:
                client.send(framed(b"vCont;c"))
        it.send_signal(signal.SIGTERM)
        assert it.stderr.read().endswith(f"SIGTERM: recorded to {str(path)!r}\n")
        assert it.wait() == -signal.SIGTERM
        client.socket.close()
    assert reader.read(str(path)).state == "whole"


def test_two_pipes_carry_packets_alone_and_ctrl_c_is_the_clients(
    tmp_path: Path,
) -> None:
    command = [*LAPIS, "--stdio", "-c", "step 3"]
    said = tmp_path / "said"
    with (
        said.open("wb") as file,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
        ) as it,
    ):
        assert it.stdin is not None
        assert it.stdout is not None
        it.stdin.write(b"+" + framed(b"?"))
        it.stdin.flush()
        assert it.stdout.read(6) == b"+$T05t"
        it.send_signal(signal.SIGINT)
        it.stdin.write(framed(b"vCont;s:2") + framed(b"qC") + framed(b"qC"))
        it.stdin.close()
        rest = it.stdout.read()
        assert rest.endswith((b"+" + framed(b"QC2")) * 2)
        assert b"cannot be stepped".hex().encode() in rest
        assert it.wait() == 0
    assert "> step 3\n" in said.read_text()
    assert "gdb:" not in said.read_text()  # the client has been told


def test_a_recording_is_looked_at_alone_until_fork(
    tmp_path: Path, capsys: Captured
) -> None:
    path = recorded(tmp_path / "a.lapis", ["step 5"], SPIN, memory="1M")
    sock = tmp_path / "sock"
    it = Beside(lambda: main(["gdb", path, "--socket", str(sock), "--once"]))
    client = coming(sock)
    assert "at instruction 0 of 5" in client.monitor("where")
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    assert client.ask(b"bs").startswith(b"T05")
    assert "at instruction 1 of 5" in client.monitor("where")
    assert "read only" in client.monitor("nmi 0")
    client.monitor("fork")
    assert "read only" not in client.monitor("nmi 0")
    client.detach()
    assert it.end() == 0
    assert not sock.exists()
    assert f"target remote {sock}" in capsys.readouterr().err
    assert main(["session", "verify", path]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--port", "1", "--stdio"], 2, "--port and --stdio exclude each other"),
        (["--port", "1", "--socket", "x"], 2, "--port and --socket exclude each other"),
        (["--port", "70000"], 2, "port 70000: 0 to 65535 is expected"),
        (["--port", "0", "-c", "bogus"], 1, "there is no command 'bogus'"),
        (["--socket", "."], 2, "socket '.': it is no socket, and is left as it is"),
        (["--architecture", "vax"], 2, "'vax' is not one of"),
    ],
)
def test_what_cannot_be_served_is_said(
    arguments: list[str], status: int, why: str, capsys: Captured
) -> None:
    assert main(["gdb", SPIN, "--memory", "1M", *arguments]) == status
    assert why in capsys.readouterr().err


def test_a_busy_port_is_said(capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["gdb", SPIN, "--port", port]) == 2
    assert "another program listens there; --port 0" in capsys.readouterr().err


def test_a_recording_takes_no_machine(tmp_path: Path, capsys: Captured) -> None:
    path = recorded(tmp_path / "a.lapis", ["step 5"], SPIN, memory="1M")
    assert main(["gdb", path, "--cpus", "3", "--port", "0"]) == 2
    assert "is a recording, which has its machine in it: --cpus is" in (
        capsys.readouterr().err
    )


# The command.


def test_lines_go_on_where_gdb_left_and_what_it_did_can_be_undone(
    tmp_path: Path, capsys: Captured
) -> None:
    sock = tmp_path / "sock"
    lines = ["step 3", f"gdb --socket {sock}", "where", "goto 3", "where"]
    given = [word for line in lines for word in ("-c", line)]
    it = Beside(lambda: main(["exec", SPIN, "--memory", "1M", "--json", *given]))
    client = coming(sock)
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    assert "is served already" in client.monitor("gdb --port 0")
    client.detach()
    assert it.end() == 0
    told = capsys.readouterr()
    assert "in gdb type: target remote" in told.err
    results = [json.loads(row)["result"] for row in told.out.splitlines()]
    served, after, back = results[1], results[2], results[4]
    assert (served["clients"], served["end"], served["at"]) == (1, "left", 4)
    assert (after["retired"], back["retired"]) == (4, 3)


def test_a_console_breaks_it_off(tmp_path: Path, capsys: Captured) -> None:
    sock = tmp_path / "sock"
    session = spin()
    interrupts = Interrupts(Ending())
    doing = Doing(session, PlainFace(is_interactive=False), interrupts)
    it = Beside(lambda: doing.do(f"gdb --socket {sock}"))
    client = coming(sock)
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    interrupts.break_in(signal.SIGINT, None)
    outcome = it.end()
    assert outcome.ok
    assert outcome.result["end"] == "broken off"
    assert client.rest() is not None
    client.socket.close()
    assert not sock.exists()
    assert "listening on socket" in capsys.readouterr().err
    assert session.execute("where").ok


def test_who_cannot_be_told_is_not_served() -> None:
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    outcome = session.execute("gdb --port 0")
    assert not outcome.ok
    assert "there is nobody here who could be told" in outcome.error


def test_the_screen_shows_where_it_listens_and_what_gdb_does(tmp_path: Path) -> None:
    sock = tmp_path / "sock"
    session = spin()

    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type(f"gdb --socket {sock}")
        it.key("enter")
        await it.until(lambda: "listening on socket" in it.text)
        client = Client(str(sock))
        assert client.ask(b"vCont;s:1").startswith(b"T05")
        await it.until(lambda: it.view.vcpu.retired == 1)
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)
        client.socket.close()
        assert "gdb was served on socket" in it.text
        await it.command("step 2")
        assert it.view.vcpu.retired == 3

    drive(session, play)
