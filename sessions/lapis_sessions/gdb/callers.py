"""Who knocks at a listener: the next client, or one too many, who is told so."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

MOST_TURNED_AWAY: Final = 8
"""Clients that are told no at a time; of more the first is cut off."""
PIECE: Final = 1 << 16
BUSY: Final = b"another client is served; it was there first"
TOLD: Final = b"+$E.%s#%02x" % (BUSY, sum(b"E." + BUSY) & 0xFF)
"""An acknowledgement, and an answer whose words gdb shows."""


class Callers:
    """Those who come to some sockets that are listened on."""

    def __init__(
        self, sockets: Sequence[socket.socket], tell: Callable[[str], None]
    ) -> None:
        """Take them one by one from `sockets`; `tell` says who was turned away."""
        self._listening, self._tell = tuple(sockets), tell
        self._turned_away: list[socket.socket] = []

    @property
    def sockets(self) -> list[socket.socket]:
        """Those at which something may happen."""
        return [*self._listening, *self._turned_away]

    def knocks(self, ready: Collection[object]) -> bool:
        """Tell whether somebody is at the door, of the sockets that are `ready`."""
        return any(each in ready for each in self._listening)

    def next(self, ready: Collection[object]) -> socket.socket | None:
        """Return the next client, unless nobody is there, or it is gone again."""
        for each in self._listening:
            if each in ready and (client := _accepted(each)) is not None:
                return client
        return None

    def turn_away(self, ready: Collection[object]) -> None:
        """Tell those who knock that there is a client already."""
        for each in self._listening:
            if each in ready and (client := _accepted(each)) is not None:
                self._refuse(client)

    def _refuse(self, client: socket.socket) -> None:
        client.setblocking(False)  # noqa: FBT003 - as the library names it
        try:
            client.send(TOLD)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            client.close()
            return
        self._turned_away.append(client)
        if len(self._turned_away) > MOST_TURNED_AWAY:
            self._turned_away.pop(0).close()
        self._tell("gdb: a second client was turned away; there is one already")

    def hear_out(self, ready: Collection[object]) -> None:
        """Hear what those say who were turned away: cut off, they would hear nothing.

        They are let go when they have had enough.
        """
        for each in [one for one in self._turned_away if one in ready]:
            try:
                is_over = not each.recv(PIECE)
            except OSError:
                is_over = True
            if is_over:
                self._turned_away.remove(each)
                each.close()

    def close(self) -> None:
        """Have done with those who were turned away."""
        while self._turned_away:
            self._turned_away.pop().close()


def _accepted(listening: socket.socket) -> socket.socket | None:
    try:
        return listening.accept()[0]
    except OSError:
        return None
