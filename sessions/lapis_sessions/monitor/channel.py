"""The QEMU Machine Protocol over a socket: a command, and its answer.

Source: QEMU "QMP specification". Whoever is at the other end may hang, send rubbish,
or never come to an end of it: an answer has its time and its size.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.units import MIB
from lapis_sessions.errors import SessionError
from lapis_sessions.text import objects, utf8
from lapis_sessions.text.visible import quoted, quoted_path, short

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

LARGEST: Final = 16 * MIB
"""Bytes of an answer with the events before it; `info mtree -f` takes about 50 KiB."""
TEXT: Final = 64 << 10
"""Letters of what a command of the human monitor prints, unless it is a map."""
MOST_EVENTS: Final = 10_000
"""Events before an answer."""
PIECE: Final = 1 << 16
SAID: Final = 300
"""Letters of what QEMU says of an error."""
TCP: Final = re.compile(r"(?:tcp:)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})")


class MonitorError(SessionError):
    """A QEMU monitor cannot be reached, or does not answer as one does."""

    title = "QEMU monitor"


class RefusedError(MonitorError):
    """QEMU has refused a command."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a monitor listens: a path, or a host and its port."""

    text: str
    """As the user wrote it."""
    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def shown(self) -> str:
        """The address as it is told to the user."""
        return quoted_path(self.text)


def address(text: str) -> Address:
    """Read a path or HOST:PORT; raise `MonitorError` for what is neither.

    A file of that name wins, and so does what has a slash.

    >>> address("/run/q.sock").path, address("tcp:[::1]:4444").host
    ('/run/q.sock', '::1')
    """
    utf8.check(text, "--qmp")
    if not text or "\0" in text:
        raise MonitorError(f"--qmp {quoted(text)}: a path or HOST:PORT is expected")
    if text.startswith("unix:"):
        return Address(text, path=text.removeprefix("unix:"))
    found = TCP.fullmatch(text)
    if found is None or ("/" not in text and _exists(text)):
        return Address(text, path=text)
    host, port = found[1] or found[2], int(found[3])
    if not 1 <= port <= 0xFFFF:
        raise MonitorError(f"--qmp {quoted(text)}: ports are 1 to 65535")
    return Address(text, host=host, port=port)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


class Channel:
    """A connection that has shown itself to be a monitor's."""

    def __init__(self, where: Address, timeout: float) -> None:
        """Connect, and negotiate; raise `MonitorError`.

        `timeout` is in seconds, for each answer.
        """
        self._where = where
        self._timeout = timeout
        self._rest = bytearray()
        self._number = 0
        self.events: set[str] = set()
        """Names of the events that came."""
        self._socket = _connected(where, timeout)
        try:
            greeting = self._object(self._deadline(), LARGEST, "its greeting")[0]
            self.version = _version(greeting, where)
            """QEMU's, in words."""
            self.command("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Channel:
        """Use it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, whatever came."""
        self._socket.close()

    def command(self, name: str, **arguments: Any) -> Any:
        """Return the answer to a command; raise `RefusedError` or `MonitorError`."""
        self._number += 1
        number = self._number
        asked = {"execute": name, "arguments": arguments, "id": number}
        deadline = self._deadline()
        self._send(json.dumps(asked).encode("ascii") + b"\r\n", deadline, name)
        left = LARGEST
        for _ in range(MOST_EVENTS):
            found, size = self._object(deadline, left, name)
            left -= size
            if isinstance(found.get("event"), str):
                self.events.add(found["event"])
                continue
            is_answer = "error" in found or "return" in found
            if not is_answer or found.get("id") != number:
                raise self._bad(name, f"has answered {quoted(str(found), 60)}")
            if "error" in found:
                raise self._refused(name, found["error"])
            return found["return"]
        raise self._bad(name, f"has sent {MOST_EVENTS:,} events and no answer")

    def human(self, line: str, cpu: int | None = None, most: int = TEXT) -> str:
        """Return what a command of the human monitor prints, for a processor.

        It is refused when it has more than `most` letters.
        """
        about = {} if cpu is None else {"cpu-index": cpu}
        text = self.command("human-monitor-command", **{"command-line": line}, **about)
        if not isinstance(text, str):
            raise self._bad(line, f"has answered {quoted(str(text), 60)} and no text")
        if len(text) > most:
            raise self._bad(line, f"has answered with more than {most:,} letters")
        return text.replace("\r\n", "\n")

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _send(self, data: bytes, deadline: float, what: str) -> None:
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            self._socket.sendall(data)
        except TimeoutError:
            raise self._late(what) from None
        except OSError as error:
            raise self._bad(what, f"is gone: {error.strerror}") from None

    def _object(
        self, deadline: float, most: int, what: str
    ) -> tuple[dict[str, Any], int]:
        """Return the next object, and its bytes."""
        line = self._line(deadline, most, what)
        try:
            return objects.read(line.decode("utf-8")), len(line)
        except ValueError as error:
            why = "it is no text" if isinstance(error, UnicodeError) else str(error)
            raise self._bad(what, f"has not answered with an object: {why}") from None

    def _line(self, deadline: float, most: int, what: str) -> bytes:
        """Return the next line that is not blank."""
        while True:
            end = self._rest.find(b"\n")
            if end < 0:
                end = self._receive(deadline, most, what)
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            if line.strip():
                return line

    def _receive(self, deadline: float, most: int, what: str) -> int:
        """Receive until there is a line's end; return where."""
        for piece in self._pieces(deadline, what):
            at = piece.find(b"\n")
            before = len(self._rest)
            self._rest += piece
            if at >= 0:
                return before + at
            if len(self._rest) > most:
                break
        raise self._bad(what, f"has answered with more than {most:,} bytes")

    def _pieces(self, deadline: float, what: str) -> Iterator[bytes]:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late(what)
            try:
                self._socket.settimeout(left)
                piece = self._socket.recv(PIECE)
            except TimeoutError:
                raise self._late(what) from None
            except OSError as error:
                raise self._bad(what, f"is gone: {error.strerror}") from None
            if not piece:
                raise self._bad(what, "has closed the connection in the middle")
            yield piece

    def _late(self, what: str) -> MonitorError:
        return self._bad(
            what,
            f"has not answered within {self._timeout:g} s (--timeout); it serves one "
            f"client at a time",
        )

    def _bad(self, what: str, why: str) -> MonitorError:
        return MonitorError(
            f"QMP {self._where.shown}, {short(what)}: who is there {why}"
        )

    def _refused(self, what: str, error: Any) -> RefusedError:
        said = error.get("desc") if isinstance(error, dict) else None
        text = said if isinstance(said, str) else "it does not say why"
        return RefusedError(f"QEMU refuses {what}: {short(text, SAID)}")


def _connected(where: Address, timeout: float) -> socket.socket:
    what = f"QMP {where.shown}"
    try:
        if not where.path:
            return socket.create_connection((where.host, where.port), timeout)
        family = getattr(socket, "AF_UNIX", None)
        if family is None:
            raise MonitorError(f"{what}: there are no such sockets here: use HOST:PORT")
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.settimeout(timeout)
            found.connect(where.path)
        except BaseException:
            found.close()
            raise
    except TimeoutError:
        raise MonitorError(
            f"{what}: nobody has answered within {timeout:g} s"
        ) from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MonitorError(f"{what} cannot be reached: {why}") from None
    return found


def _version(greeting: dict[str, Any], where: Address) -> str:
    """Return the version that a greeting tells; raise `MonitorError` if it is none."""
    found = greeting.get("QMP")
    version = found.get("version") if isinstance(found, dict) else None
    parts = version.get("qemu") if isinstance(version, dict) else None
    numbers = [
        parts.get(each) if isinstance(parts, dict) else None
        for each in ("major", "minor", "micro")
    ]
    if not all(type(each) is int and 0 <= each < 1000 for each in numbers):
        raise MonitorError(
            f"QMP {where.shown}: who is there does not greet as QEMU does (-qmp, and "
            f"not -monitor)"
        )
    return f"QEMU {'.'.join(map(str, numbers))}"
