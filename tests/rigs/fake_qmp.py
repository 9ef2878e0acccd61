"""A QEMU monitor that is none: it plays what one has answered, or lies.

A conversation is kept as JSON, gzipped: what QEMU answered to each command, the pages
of memory that were not zero, and the registers after each of the instructions that it
did next, as digests.
"""

import gzip
import hashlib
import json
import socket
import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rigs.remote_protocol import LAYOUT, Registers

FOLDER = Path(__file__).parents[1] / "fixtures" / "qmp"
PAGE = 4096
GREETING = {
    "QMP": {
        "version": {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""},
        "capabilities": ["oob"],
    }
}
Reply = dict[str, Any]
Twist = Callable[[str, Reply], bytes | None]
"""From a command (with the line of a human one) and the true reply to the bytes that
go out; None closes the connection."""


def digest(registers: Registers) -> str:
    """A few letters for the registers of a processor."""
    row = (*registers.gpr, registers.rip, registers.eflags, *registers.segments)
    return hashlib.blake2b(LAYOUT.pack(*row), digest_size=6).hexdigest()


@dataclass
class Conversation:
    """What a QEMU answered once."""

    answers: dict[str, Reply] = field(default_factory=dict)
    pages: dict[int, bytes] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    dump: bytes = b""
    """What `dump-guest-memory` writes."""

    def save(self, name: str) -> None:
        pages = {
            f"{at:x}": b64encode(zlib.compress(page, 9)).decode()
            for at, page in self.pages.items()
        }
        plain = {"answers": self.answers, "pages": pages, "trace": self.trace}
        plain["dump"] = b64encode(self.dump).decode()
        data = gzip.compress(json.dumps(plain, indent=1).encode(), mtime=0)
        (FOLDER / f"{name}.json.gz").write_bytes(data)


def load(name: str) -> Conversation:
    plain = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    pages = {
        int(at, 16): zlib.decompress(b64decode(page))
        for at, page in plain["pages"].items()
    }
    dumped = b64decode(plain["dump"])
    return Conversation(plain["answers"], pages, plain["trace"], dumped)


def key(name: str, arguments: dict[str, Any]) -> str:
    """Under which an answer is kept; where a file was does not count."""
    kept = {each: arguments[each] for each in sorted(arguments) if each != "filename"}
    return f"{name} {json.dumps(kept)}"


def honest(_command: str, reply: Reply) -> bytes:
    return json.dumps(reply).encode() + b"\r\n"


class Fake:
    """A server for one client at a time, in a thread of its own."""

    def __init__(self, path: Path, said: Conversation, twist: Twist = honest) -> None:
        self.path = str(path)
        self.asked: list[str] = []
        """Every command that came."""
        self._said = said
        self._twist = twist
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        with socket.socket(socket.AF_UNIX) as last:  # wakes who accepts
            last.connect_ex(self.path)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        with client, client.makefile("rb") as lines:
            try:
                self._talk(client, lines)
            except OSError:  # the client has had enough
                return

    def _talk(self, client: socket.socket, lines: Any) -> None:
        out = self._twist("greeting", GREETING)
        while out is not None:
            client.sendall(out)
            line = lines.readline()
            if not line:
                return
            asked = json.loads(line)
            arguments = asked.get("arguments", {})
            name = arguments.get("command-line", asked["execute"])
            self.asked.append(name)
            reply = {**self._answer(asked["execute"], arguments), "id": asked["id"]}
            out = self._twist(name, reply)

    def _answer(self, name: str, arguments: dict[str, Any]) -> Reply:
        if name == "pmemsave":
            self._write(arguments)
            return {"return": {}}
        if name == "dump-guest-memory":
            file = arguments["protocol"].removeprefix("file:")
            Path(file).write_bytes(self._said.dump)
            return {"return": {}}
        return self._said.answers.get(
            key(name, arguments), {"error": {"class": "GenericError", "desc": "no"}}
        )

    def _write(self, arguments: dict[str, Any]) -> None:
        first, size = arguments["val"], arguments["size"]
        with Path(arguments["filename"]).open("wb") as file:
            for at, page in sorted(self._said.pages.items()):
                if first <= at < first + size:
                    file.seek(at - first)
                    file.write(page)
            file.truncate(size)


@contextmanager
def serving(path: Path, said: Conversation, twist: Twist = honest) -> Iterator[Fake]:
    """Serve a conversation at `path`, and see the thread end."""
    fake = Fake(path, said, twist)
    try:
        yield fake
    finally:
        fake.close()
