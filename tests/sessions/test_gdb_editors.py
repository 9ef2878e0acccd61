"""Editors at the gdb server: by lldb's debug adapter, and as VS Code's cppdbg does.

Sources: "Debug Adapter Protocol" 1.x; MIEngine, `DebuggedProcess.cs`
(`GetInitializeCommands`), for what cppdbg has gdb do with `miDebuggerServerAddress`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from rigs.gdb_client import PATIENCE, serving
from rigs.session_files import GUESTS

from lapis_plugins.host import discover
from lapis_sessions.gdb import listener
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rigs.gdb_client import Served

ADAPTERS = ("lldb-dap", "lldb-vscode", "lldb-vscode-14")
ADAPTER = next((each for each in ADAPTERS if shutil.which(each)), None)
Json = dict[str, Any]
WAITS = "vCPU 1 cannot be stepped: it was never started and waits for INIT and SIPI"
KERNEL = GUESTS / "boot-pvh.bin"
"""An ELF file, as cppdbg wants one."""


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    options = SessionOptions(request.param, memory="16M")
    session = open_session(options, discover(installed=False).extensions)
    with serving(session, listener.on_port(0)) as found:
        yield found


class Program:
    """A program that answers lines or messages; it is ended when it takes too long."""

    def __init__(self, *command: str) -> None:
        self.it = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.it.stdin is not None
        assert self.it.stdout is not None
        self.incoming, self.outgoing = self.it.stdout, self.it.stdin
        self._watch = threading.Timer(PATIENCE, self.it.kill)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.cancel()
        self.it.kill()
        self.it.communicate()


class Adapter(Program):
    """A debug adapter."""

    def __init__(self, command: str) -> None:
        super().__init__(command)
        self._number = 0
        self.events: list[Json] = []

    def _send(self, command: str, arguments: Json) -> None:
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command,
                   "arguments": arguments}  # fmt: skip
        body = json.dumps(message).encode()
        self.outgoing.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.outgoing.flush()

    def _message(self) -> Json:
        size = 0
        while line := self.incoming.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        assert size, "the adapter is gone"
        found: Json = json.loads(self.incoming.read(size))
        if found["type"] == "event":
            self.events.append(found)
        return found

    def ask(self, command: str, **arguments: Any) -> Json:
        """Return the body of a response."""
        self._send(command, arguments)
        while True:
            found = self._message()
            if found["type"] == "response" and found["request_seq"] == self._number:
                assert found["success"], found
                body: Json = found.get("body", {})
                return body

    def step(self, thread: int, reason: str) -> None:
        """Step a thread, until it is told to have stopped for that reason.

        What the adapter still tells of stops before is passed over.
        """
        self.events.clear()
        self.ask("stepIn", threadId=thread)
        wanted = {"reason": reason, "threadId": thread}
        while not any(
            event["event"] == "stopped" and wanted.items() <= event["body"].items()
            for event in self.events
        ):
            self._message()

    def lldb(self, line: str) -> str:
        """Do a command of lldb's in the debug console."""
        body = self.ask("evaluate", expression=f"`{line}", context="repl")
        return str(body["result"])


@pytest.mark.skipif(ADAPTER is None, reason="lldb's debug adapter is not there")
@pytest.mark.parametrize("served", ["ap-bringup"], indirect=True)
def test_the_debug_adapter_of_lldb_attaches_steps_and_leaves(served: Served) -> None:
    assert ADAPTER is not None
    with Adapter(ADAPTER) as it:
        it.ask("initialize", adapterID="lldb", linesStartAt1=True)
        come = [f"gdb-remote 127.0.0.1:{served.where.port}"]
        it.ask("attach", attachCommands=come, stopOnEntry=True)
        it.ask("configurationDone")
        threads = it.ask("threads")["threads"]
        assert [each["id"] for each in threads] == [1, 2]
        assert threads[0]["name"].endswith("running")
        assert threads[1]["name"].endswith("never-started")
        frame = it.ask("stackTrace", threadId=1)["stackFrames"][0]["id"]
        scopes = it.ask("scopes", frameId=frame)["scopes"]
        assert "Registers" in [each["name"] for each in scopes]
        it.step(1, "step")
        assert "0x10001: cld" in it.lldb("disassemble -p -c 2")
        assert "at instruction 1," in it.lldb("process plugin packet monitor where")
        it.step(2, "exception")
        why = it.ask("exceptionInfo", threadId=2)["description"]
        assert why.startswith(WAITS)
        it.ask("disconnect", terminateDebuggee=False)
    assert served.end().end == "left"


class Mi(Program):
    """gdb with its machine interface."""

    def __init__(self) -> None:
        super().__init__("gdb", "-nx", "-q", "--interpreter=mi")
        self.said: list[str] = []
        self._until("(gdb)")

    def _until(self, begun: str) -> str:
        self.said.clear()
        while line := self.incoming.readline().decode():
            self.said.append(line)
            if line.startswith(begun):
                return line
        raise AssertionError(("gdb is gone", self.said))

    def ask(self, line: str, status: str = "done") -> str:
        """Do a command; return its result record."""
        self.outgoing.write(f"7{line}\n".encode())
        self.outgoing.flush()
        found = self._until("7^")
        assert found.startswith(f"7^{status}"), found
        return found

    def stop(self, line: str) -> str:
        """Do a command that has the machine go on; return how it stopped."""
        self.ask(line, "running")
        return self._until("*stopped")


@pytest.mark.skipif(shutil.which("gdb") is None, reason="there is no gdb")
@pytest.mark.parametrize("served", [str(KERNEL)], indirect=True)
def test_gdb_is_driven_as_the_adapter_of_vs_code_does(served: Served) -> None:
    with Mi() as it:
        it.ask("-gdb-set target-async on")
        it.ask('-interpreter-exec console "set pagination off"')
        it.ask(f"-environment-cd {GUESTS}")
        it.ask(f"-file-exec-and-symbols {KERNEL}")
        it.ask('-interpreter-exec console "show architecture"')
        it.ask("-break-insert main", "error")  # a kernel has none, which is ignored
        address = f"localhost:{served.where.port}"
        it.ask(f"-target-select remote {address}", "connected")
        threads = it.ask("-thread-info")
        assert 'name="running"' in threads
        assert 'name="never-started"' in threads
        assert 'addr="0x' in it.ask("-stack-list-frames 0 1000")
        assert '"rip"' in it.ask("-data-list-register-names")
        assert 'value="0x' in it.ask("-data-list-register-values x 16")
        code = it.ask('-data-disassemble -s "$pc" -e "$pc + 16" -- 2')
        assert "inst=" in code
        assert 'reason="end-stepping-range"' in it.stop("-exec-step-instruction")
        it.ask('-interpreter-exec console "monitor where"')
        assert any("at instruction 1," in line for line in it.said)
        assert 'thread-id="2"' in it.stop("-exec-step-instruction --thread 2")
        assert any(WAITS in line for line in it.said)
        place = it.ask('-data-evaluate-expression "$pc"')
        assert "value=" in place
        it.ask("-target-detach")
        it.ask("-gdb-exit", "exit")
    assert served.end().end == "left"
