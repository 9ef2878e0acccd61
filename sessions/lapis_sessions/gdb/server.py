"""Serving gdb: one client after the other talks with a session.

All of it is done by one thread, the session's own: between two slices of a run it looks
whether the client breaks in, is gone, or another one knocks. A client that vanishes,
says nothing of gdb's, or does not take its answers is let go, and the session stays as
it is.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, Protocol

from lapis_sessions.gdb import connection
from lapis_sessions.gdb.callers import Callers
from lapis_sessions.gdb.stub import ARCHITECTURES, Stub
from lapis_sessions.slices import FIRST_SLICE, fitting

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from lapis_sessions.front import Front
    from lapis_sessions.gdb.connection import Connection
    from lapis_sessions.gdb.listener import Listener
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

KINDS: Final = tuple(ARCHITECTURES)
"""What a client can be told that the machine is."""
PATIENCE: Final = 0.1
"""Seconds between two looks whether anybody breaks this off."""
STALLED_SECONDS: float = 30.0
"""For so long a client may take nothing of what waits for it."""
GOODBYE_SECONDS: Final = 2.0
"""For so long the last answer is offered to a client that has had enough."""
MOST_KEPT: Final = 1 << 16
"""Bytes that are read ahead while something is done."""
FED: Final = 1 << 10
"""Bytes that are heard at once: each packet of some may ask for a long answer."""
BREAK: Final = b"\x03"
FIRST_BYTES: Final = b"+-$\x03"
"""What gdb, and whoever speaks as it does, begins with; a browser does not."""
End = Literal["left", "gone", "stalled", "stranger", "nobody", "broken off"]
"""How a conversation ended: the client has detached, it has vanished, it took nothing,
it was no debugger, or went without a word; or whoever serves it was told to end."""


class Answerer(Protocol):
    """Who talks with one client: a `Stub`."""

    @property
    def is_running(self) -> bool:
        """Whether the machine was resumed, and has not stopped."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether the client has taken its leave."""
        ...

    @property
    def said(self) -> list[str]:
        """Sentences for the user; whoever shows them takes them away."""
        ...

    def receive(self, data: bytes) -> bytes:
        """Take what has come; return what is to be sent."""
        ...

    def go(self, instructions: int) -> bytes:
        """Do a slice of what runs; return what is to be sent."""
        ...

    def close(self) -> None:
        """Take back what the client had put into the machine for its own sake."""
        ...


Begin = Callable[["Session", Callable[[], bool]], Answerer]
"""Begins to talk with a client about a session; the function tells on a long way back
whether the client wants it to end."""


@dataclass(slots=True)
class Served:
    """What came of serving."""

    clients: int = 0
    """How many were talked with."""
    end: End | None = None
    """How the last conversation ended."""


class Server:
    """Serves one session."""

    def __init__(
        self,
        session: Session,
        front: Front,
        begin: Begin,
        listener: Listener | None = None,
    ) -> None:
        """Have `begin` find who talks with each client.

        `front` is told what happens and asked whether to go on; without a `listener`
        nobody else can come.
        """
        self._session, self._front, self._begin = session, front, begin
        sockets = listener.sockets if listener is not None else ()
        self._callers = Callers(sockets, front.tell)
        self._is_open = listener is not None
        """Anybody may come; else there is one, who started this."""
        self._client: Connection | None = None
        self._kept = bytearray()
        """What the client said while something was done."""
        self._slice = FIRST_SLICE
        self._told = ""
        """What the conversation has told last."""

    # One after the other.

    def serve(self, *, once: bool) -> Served:
        """Serve whoever comes, until the front says no; or one client alone."""
        served = Served()
        try:
            while self._front.waits():
                client = self._next()
                if client is None:
                    continue
                end = self.converse(connection.of_socket(client))
                if end in {"stranger", "nobody"}:
                    continue
                served.clients, served.end = served.clients + 1, end
                if once or end == "broken off":
                    break
        finally:
            self._callers.close()
        return served

    def _next(self) -> socket.socket | None:
        """Return the next client, if one comes soon."""
        ready = self._ready(PATIENCE)
        self._callers.hear_out(ready)
        return self._callers.next(ready)

    def converse(self, client: Connection) -> End:
        """Talk with a client until it leaves, or cannot be talked with any more."""
        self._client, self._told = client, ""
        self._kept.clear()
        stub = self._begin(self._session, self._is_broken_into)
        try:
            with self._looking():
                end = self._talk(stub, client)
                stub.close()
                self._tell(stub)
        finally:
            self._client = None
            client.close()
        if end in EXPECTED:
            self._tell_open(SAID[end])
        elif end in SAID:
            self._front.tell(f"gdb: {SAID[end]}")
        return end

    def _talk(self, stub: Answerer, client: Connection) -> End:
        is_known = False
        since, taken = monotonic(), 0
        while not stub.has_ended:
            if not self._front.waits():
                return "broken off"
            if client.taken != taken or not client.is_waiting:
                since, taken = monotonic(), client.taken
            elif monotonic() - since > STALLED_SECONDS:
                return "stalled"
            runs = stub.is_running and client.has_room
            data = self._heard(client, 0 if runs else PATIENCE)
            if data and not is_known:
                if data[0] not in FIRST_BYTES:
                    return "stranger"
                is_known, data = True, _once(data)
                self._tell_open("a client has come")
            if data:
                client.put(stub.receive(data))
            elif client.is_ended and not client.is_waiting:
                return "gone" if is_known else "nobody"
            elif runs and not client.is_ended:
                client.put(self._go(stub))
            self._tell(stub)
        return self._goodbye(client)

    def _tell_open(self, sentence: str) -> None:
        """Tell what one knows who started this for himself."""
        if self._is_open:
            self._front.tell(f"gdb: {sentence}")

    def _tell(self, stub: Answerer) -> None:
        while stub.said:
            sentence = stub.said.pop(0)
            if sentence != self._told:  # a client may ask the same for ever
                self._front.tell(f"gdb: {sentence}")
            self._told = sentence

    def _goodbye(self, client: Connection) -> End:
        """Offer a client its last answer."""
        until = monotonic() + GOODBYE_SECONDS
        while client.is_waiting and monotonic() < until:
            select.select([], [client.outgoing], [], PATIENCE)
            client.send()
        return "left"

    def _go(self, stub: Answerer) -> bytes:
        """Do a slice, and choose the size of the next one."""
        begun = monotonic()
        sent = stub.go(self._slice)
        self._slice = fitting(self._slice, monotonic() - begun)
        return sent

    # What comes meanwhile.

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Look for a break between two slices of all that is done."""
        session = self._session
        before = session.pace, session.watch
        pace, watch = before

        def paced(left: int) -> int:
            some = pace(left)
            return 0 if some <= 0 or self._is_broken_into() else min(some, self._slice)

        def watched(way: Way) -> bool:
            goes_on = watch(way) if watch is not None else pace(1) > 0
            return goes_on and not self._is_broken_into()

        session.pace, session.watch = paced, watched
        try:
            yield
        finally:
            session.pace, session.watch = before

    def _is_broken_into(self) -> bool:
        """Tell whether the client wants what is done to end, or is gone."""
        client = self._client
        if client is None:
            return False
        self._read_ahead(client)
        return BREAK in self._kept or client.is_ended

    def _read_ahead(self, client: Connection) -> None:
        """Keep what the client has said by now, in bounds; notice that it is gone."""
        while len(self._kept) < MOST_KEPT and not client.is_ended:
            ready, _, _ = select.select([client.incoming], [], [], 0)
            if not ready:
                break
            self._kept += client.read()

    def _heard(self, client: Connection, seconds: float) -> bytes:
        """Return some of what the client says, now or soon; send it what waits."""
        if not (self._kept and client.has_room):
            self._look(client, seconds)
        if not client.has_room:
            return b""
        data = bytes(self._kept[:FED])
        del self._kept[:FED]
        return data

    def _look(self, client: Connection, seconds: float) -> None:
        """Wait for whoever has something to say, or takes something."""
        wanted = [client.incoming] if client.has_room and not client.is_ended else []
        ready = self._ready(seconds, wanted, [client.outgoing] * client.is_waiting)
        if client.incoming in ready:
            self._kept += client.read()
        if self._callers.knocks(ready):
            self._read_ahead(client)
            if not client.is_ended:  # else who knocks may be the next
                self._callers.turn_away(ready)
        self._callers.hear_out(ready)
        client.send()

    def _ready(
        self,
        seconds: float,
        wanted: list[int] | None = None,
        full: list[int] | None = None,
    ) -> list[int | socket.socket]:
        """Return who has something to say, within some seconds."""
        those = [*(wanted or ()), *self._callers.sockets]
        ready, _, _ = select.select(those, full or [], [], seconds)
        return list(ready)


def beginning(architecture: str, *, is_beside: bool = False) -> Begin:
    """Return what talks with clients as a machine of that architecture.

    `is_beside` is whether who serves sees what they are told.
    """
    return lambda session, is_asked_to_stop: Stub(
        session, architecture=architecture, is_asked_to_stop=is_asked_to_stop,
        is_beside=is_beside,
    )  # fmt: skip


def welcome(listener: Listener) -> str:
    """Return what is told when somebody may come."""
    return f"gdb: listening on {listener.where}; in gdb type: {listener.line}"


SAID: Final[dict[End, str]] = {
    "left": "the client has detached",
    "gone": "the client is gone",
    "stalled": "the client takes no answers, and was let go",
    "stranger": "who came does not speak gdb's protocol, and was turned away",
    "broken off": "broken off; the client was let go",
}
"""What is told of each end."""
EXPECTED: Final[frozenset[End]] = frozenset({"left", "gone"})
"""Ends that who started the server knows of."""


def _once(data: bytes) -> bytes:
    """Return the first that is heard, without what was said again for nobody answered.

    gdb says its first packet every two seconds; an answer to each were one too many.
    """
    first, *others = [each.rstrip(b"+-") for each in data.split(b"$")[1:]] or [b""]
    is_again = others and all(each == first for each in others)
    return b"$" + first if is_again else data
