"""A client of a gdb server of ours, which may behave as badly as it likes.

Source: GDB manual "Remote Serial Protocol".
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lapis_sessions.gdb import server
from lapis_sessions.gdb.listener import Listener
from lapis_sessions.session import Session

PATIENCE = 60
"""Seconds for an answer, on a machine with other things to do."""


def framed(body: bytes) -> bytes:
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


Address = str | tuple[str, int]
"""A path, or a host and a port."""


class Client:
    """One connection."""

    def __init__(self, where: Listener | Address) -> None:
        at: Address = (
            where.sockets[0].getsockname() if isinstance(where, Listener) else where
        )
        family = socket.AF_UNIX if isinstance(at, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(at)
        self._came = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, body: bytes) -> bytes:
        """Send a packet; return the body of the one that comes back."""
        self.send(framed(body))
        return self.packet()

    def monitor(self, line: str) -> str:
        """Do a command of the session's; return what it prints, or the error."""
        self.send(framed(b"qRcmd," + line.encode().hex().encode()))
        said = b""
        while True:
            body = self._packet()
            if not body.startswith(b"O") or body == b"OK":
                break
            said += bytes.fromhex(body[1:].decode())
        if body.startswith(b"E"):
            return body.decode()
        return (said if body == b"OK" else bytes.fromhex(body.decode())).decode()

    def packet(self) -> bytes:
        """Return the body of the next packet but those with what is printed."""
        while True:
            body = self._packet()
            if not body.startswith(b"O") or body == b"OK":
                return body

    def _packet(self, *, acks: bool = True) -> bytes:
        while True:
            begin = self._came.find(b"$")
            end = self._came.find(b"#", begin)
            if 0 <= begin < end and len(self._came) >= end + 3:
                body = self._came[begin + 1 : end]
                assert int(self._came[end + 1 : end + 3], 16) == sum(body) & 0xFF
                self._came = self._came[end + 3 :]
                if acks:
                    self.send(b"+")
                return body
            data = self.socket.recv(1 << 16)
            assert data, ("the server is gone", self._came)
            self._came += data

    def rest(self) -> bytes:
        """Return all that comes until the server closes."""
        try:
            while data := self.socket.recv(1 << 16):
                self._came += data
        except ConnectionResetError:
            pass
        return self._came

    def detach(self) -> None:
        self.send(framed(b"D"))
        body = self._packet(acks=False)  # who has let go listens no more
        assert body == b"OK"
        self.socket.close()

    def vanish(self) -> None:
        """Be gone with a reset, as a process that is killed with data unread."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()


class Front:
    """Who is told, and who says when it is over."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_over = threading.Event()

    def tell(self, sentence: str) -> None:
        self.said.append(sentence)

    def waits(self) -> bool:
        return not self.is_over.is_set()


class Served:
    """A session that is served on a thread of its own."""

    def __init__(self, session: Session, where: Listener, begin: server.Begin) -> None:
        self.where, self.front = where, Front()
        self.came: server.Served | None = None
        self.error: BaseException | None = None
        self._server = server.Server(session, self.front, begin, where)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.came = self._server.serve(once=False)
        except BaseException as error:  # noqa: BLE001 - for the test to raise
            self.error = error

    def client(self) -> Client:
        return Client(self.where)

    def end(self) -> server.Served:
        self.front.is_over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        assert self.came is not None
        return self.came


@contextmanager
def serving(
    session: Session, where: Listener, begin: server.Begin | None = None
) -> Iterator[Served]:
    """Serve a session as long as this lasts."""
    served = Served(session, where, begin or server.beginning("auto"))
    try:
        yield served
    finally:
        served.end()
        where.close()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread does; fail when it does not come."""
    waited = threading.Event()
    for _ in range(PATIENCE * 100):
        if is_so():
            return
        waited.wait(0.01)
    raise AssertionError("it did not come about")
