"""A client of the remote protocol for the stub, and the real gdb over a socket.

Packets are put together and taken apart here, by the GDB manual and not by our framer.
"""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from lapis_sessions.gdb.stub import Stub

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

PACKET = re.compile(rb"\$([^#]*)#([0-9a-f]{2})", re.DOTALL)
SLICE = 100_000
PATIENCE = 240
"""Seconds for a script: the machine may be slow and loaded."""
needs_gdb = pytest.mark.skipif(shutil.which("gdb") is None, reason="there is no gdb")


def packet(body: bytes) -> bytes:
    return b"$" + body + b"#" + f"{sum(body) % 256:02x}".encode()


class Client:
    """Talks to a stub in the same process; acknowledges nothing."""

    def __init__(self, session: Session, **options: str) -> None:
        self.session = session
        self.stub = Stub(session, **options)  # type: ignore[arg-type]
        assert self.stub.receive(packet(b"QStartNoAckMode")) == b"+$OK#9a"
        self.slices = 0

    def bodies(self, body: str) -> list[str]:
        """Send a packet and let the machine run; return all that comes."""
        out = self.stub.receive(packet(body.encode("latin-1")))
        return parsed(out + self.carry_on())

    def carry_on(self) -> bytes:
        out, self.slices = b"", 0
        while self.stub.is_running:
            out += self.stub.go(SLICE)
            self.slices += 1
            assert self.slices < 10_000
        return out

    def carries_on(self) -> bool:
        return self.stub.is_running

    def ask(self, body: str) -> str:
        """Return the answer, without what is for the console."""
        found = self.bodies(body)
        return found[-1] if found else ""

    def told(self, body: str) -> tuple[str, str]:
        """Return what is shown, and the answer."""
        *shown, last = self.bodies(body)
        return "".join(map(words, shown)), last

    def monitor(self, line: str) -> str:
        text, answer = self.told(f"qRcmd,{line.encode().hex()}")
        assert answer == "OK"
        return text

    def register(self, name: str) -> int:
        names = [each.name for each in self.stub._talk.description.registers]
        value = bytes.fromhex(self.ask(f"p{names.index(name):x}"))
        return int.from_bytes(value, "little")


def parsed(data: bytes) -> list[str]:
    """Return the bodies; there must be nothing else."""
    assert PACKET.sub(b"", data) == b"", data
    found = PACKET.findall(data)
    assert all(sum(body) % 256 == int(digits, 16) for body, digits in found)
    return [body.decode("latin-1") for body, _ in found]


def words(body: str) -> str:
    """Return the text of a packet of console output."""
    assert body[0] == "O"
    return bytes.fromhex(body[1:]).decode()


def thread_of(stop: str) -> int:
    """Return the thread of a stop reply."""
    found = re.search(r"thread:([0-9a-f]+);", stop)
    assert found is not None, stop
    return int(found[1], 16)


def scripted(session: Session, tmp_path: Path, lines: list[str], **options: str) -> str:
    """Have gdb connect and do lines; return what it printed."""
    path = tmp_path / "gdb.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        begin = ["set pagination off", "set confirm off", f"target remote {path}"]
        args = [part for line in begin + lines for part in ("-ex", line)]
        printed = tmp_path / "gdb.out"
        with printed.open("wb") as out:
            gdb = subprocess.Popen(
                ["gdb", "-nx", "-q", "-batch", *args],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                _serve(Stub(session, **options), listening, time.monotonic() + PATIENCE)  # type: ignore[arg-type]
                gdb.wait(PATIENCE)
            finally:
                gdb.kill()
                gdb.wait()
        path.unlink()
    return printed.read_text()


def _serve(stub: Stub, listening: socket.socket, end: float) -> None:
    assert select.select([listening], [], [], PATIENCE)[0], "gdb did not connect"
    client, _ = listening.accept()
    with client:
        while not stub.has_ended:
            assert time.monotonic() < end, "gdb takes too long"
            wait = 0 if stub.is_running else PATIENCE
            if select.select([client], [], [], wait)[0]:
                data = client.recv(1 << 16)
                if not data:
                    break
                client.sendall(stub.receive(data))
            elif stub.is_running:
                client.sendall(stub.go(SLICE))
    stub.close()
