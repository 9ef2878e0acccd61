"""The bytes to and from one client: over a socket, or over two pipes.

Nothing here waits: what is read is what has come, what is to be sent is kept until it
is taken. What is kept is bounded by whoever asks `has_room` before he makes more.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE: Final = 1 << 16
"""Bytes that are read or sent at once."""
ROOM: Final = 1 << 16
"""Of what nobody has taken yet: when there is more, no more is made."""


class Connection:
    """One client's bytes."""

    def __init__(
        self,
        descriptors: tuple[int, int],
        read: Callable[[int], bytes],
        write: Callable[[bytes], int],
        close: Callable[[], None],
    ) -> None:
        """Read from the first of two descriptors, and write to the other.

        `read` is given how many bytes at most, `write` returns how many were taken;
        neither is to wait.
        """
        self.incoming, self.outgoing = descriptors
        self._read, self._write, self._close = read, write, close
        self._unsent = bytearray()
        self.is_ended = False
        """The client has no more to say: it is gone, or is about to go."""
        self._is_broken = False
        """Nothing is taken any more."""
        self.taken = 0
        """Bytes that the client has taken by now."""

    @property
    def is_waiting(self) -> bool:
        """Whether the client has yet to take something."""
        return bool(self._unsent)

    @property
    def has_room(self) -> bool:
        """Whether more may be put."""
        return len(self._unsent) < ROOM

    def read(self) -> bytes:
        """Return what has come, which may be nothing."""
        try:
            data = self._read(PIECE)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            data = b""
        self.is_ended = self.is_ended or not data
        return data

    def put(self, data: bytes) -> None:
        """Send bytes as soon as the client takes them; if it is gone, never."""
        if not self._is_broken:
            self._unsent += data
        self.send()

    def send(self) -> None:
        """Send as much as is taken at once."""
        while self.is_waiting:
            try:
                count = self._write(bytes(self._unsent[:PIECE]))
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.is_ended = self._is_broken = True
                self._unsent.clear()
                return
            self.taken += count
            del self._unsent[:count]

    def close(self) -> None:
        """Have done with the client."""
        self.is_ended = self._is_broken = True
        self._close()


def of_socket(client: socket.socket) -> Connection:
    """Return the connection of a client that has come."""
    client.setblocking(False)  # noqa: FBT003 - as the library names it
    if client.family in {socket.AF_INET, socket.AF_INET6}:
        with suppress(OSError):  # a packet is an answer that somebody waits for
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    number = client.fileno()
    return Connection((number, number), client.recv, client.send, client.close)


def of_pipes(incoming: int, outgoing: int) -> Connection:
    """Return the connection over two descriptors, as of standard input and output.

    They are left open and as they were.
    """
    before = {each: os.get_blocking(each) for each in (incoming, outgoing)}
    for each in before:
        if not os.isatty(each):  # whose other users would not wait either
            os.set_blocking(each, False)

    def close() -> None:
        for each, is_blocking in before.items():
            with suppress(OSError):
                os.set_blocking(each, is_blocking)

    return Connection(
        (incoming, outgoing),
        lambda count: os.read(incoming, count),
        lambda data: os.write(outgoing, data),
        close,
    )
