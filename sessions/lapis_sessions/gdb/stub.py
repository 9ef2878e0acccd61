"""One client's conversation with a session: bytes that came, bytes to send.

There is no socket here and no clock. Who carries the bytes calls `receive` with what
came and sends what it returns, and while `is_running` calls `go` in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.gdb import description, letters, monitor, stopped
from lapis_sessions.gdb.conversation import Conversation
from lapis_sessions.gdb.marks import Marks
from lapis_sessions.gdb.packets import LARGEST, Arrival, Framer, framed
from lapis_sessions.gdb.refusal import NO_MEMORY, PacketError
from lapis_sessions.text.visible import printed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_sessions.session import Session

ARCHITECTURES: Final = {
    "auto": description.ARCHITECTURES[0], "x86-64": description.ARCHITECTURES[0],
    "i386": description.ARCHITECTURES[1], "i8086": description.ARCHITECTURES[2],
}  # fmt: skip
"""What a client can be told the machine is. The description stays as it is while the
client is there, so `auto` is the widest: it has every register of every mode."""
RESUMING: Final = frozenset({b"v", b"c", b"C", b"s", b"S"})
"""What packets begin with that let the machine go on."""
LEAVING: Final = frozenset({b"D", b"k"})
"""Packets that are heard while the machine runs, too."""


class Stub:
    """One client's conversation with a session."""

    def __init__(
        self,
        session: Session,
        *,
        architecture: str = "auto",
        is_asked_to_stop: Callable[[], bool] = lambda: False,
        is_beside: bool = False,
    ) -> None:
        """Begin with the vCPU that the session has selected.

        Args:
            session: What it is about.
            architecture: One of `ARCHITECTURES`.
            is_asked_to_stop: Asked on a long way back whether 0x03 has come, which
                `receive` is then to be given.
            is_beside: Whether who serves sees what the client is told.
        """
        machine = session.machine
        self._talk = Conversation(
            session, description.of(ARCHITECTURES[architecture]), Marks(machine),
            is_asked_to_stop, session.selected, is_beside=is_beside,
        )  # fmt: skip
        self._framer = Framer()
        self._sent = b""
        """The packets that were sent last, for a client that missed them."""

    @property
    def is_running(self) -> bool:
        """Whether `go` is to be called: the machine was resumed and has not stopped."""
        return self._talk.run is not None

    @property
    def has_ended(self) -> bool:
        """Whether the client has taken its leave."""
        return self._talk.has_ended

    @property
    def said(self) -> list[str]:
        """Sentences for who serves, oldest first; whoever shows them takes them."""
        return self._talk.said

    def receive(self, data: bytes) -> bytes:
        """Take what came; return what is to be sent. Garbage is passed over."""
        out = b""
        for arrival in self._framer.take(data):
            if self.has_ended:
                break
            out += self._arrived(arrival)
        return out

    def _arrived(self, arrival: bytes | Arrival) -> bytes:
        talk = self._talk
        if isinstance(arrival, bytes):
            ack = b"+" if talk.has_acks else b""
            return ack + self._answered(arrival)
        match arrival:
            case Arrival.INTERRUPT if talk.run is not None:
                run, talk.run = talk.run, None
                return self._told([run.interrupt()], speaks=True)
            case Arrival.NAK if talk.has_acks:
                return self._sent
            case Arrival.BROKEN if talk.has_acks:
                return b"-"
            case Arrival.TOO_LONG:
                talk.note(f"a packet of more than {LARGEST} bytes was dropped")
                return b"-" if talk.has_acks else self._told([b"E01"])
            case _:
                return b""

    def go(self, instructions: int) -> bytes:
        """Do a slice of the resumption; return what is to be sent, if anything.

        Args:
            instructions: How many at most. A way back is one slice, however long.
        """
        run = self._talk.run
        if run is None:
            return b""
        answer = run.go(instructions)
        if answer is None:
            return b""
        self._talk.run = None
        return self._told([answer], speaks=True)

    def close(self) -> None:
        """Take the client's breakpoints out: it has gone, by whatever way."""
        self._talk.leave()

    def _told(self, bodies: Sequence[bytes], *, speaks: bool = False) -> bytes:
        """Return packets; behind what is owed in words where gdb expects such.

        That is while it waits for a machine to stop.
        """
        talk = self._talk
        owed = list[bytes]()
        if speaks:
            stopped.hint(talk, talk.session.selected)
            notices, talk.session.notices[:] = list(talk.session.notices), []
            for notice in notices:
                talk.note(notice)
            owed = monitor.shown(printed("\n".join([*notices, *talk.owed])))
            talk.owed.clear()
        self._sent = b"".join(map(framed, [*owed, *bodies]))
        return self._sent

    def _answered(self, body: bytes) -> bytes:
        """Return the packets that answer one."""
        talk = self._talk
        if talk.run is not None and body[:1] not in LEAVING:
            talk.note("a packet was passed over: the machine runs")
            return b""
        try:
            answer = letters.answer(talk, body)
        except PacketError as refused:
            if refused.number != NO_MEMORY:  # which gdb tries often, and shows
                talk.note(printed(str(refused)))
            return self._told([refused.answer])
        except LapisError as error:
            talk.note(printed(str(error)))
            return self._told([b"E01"])
        if answer is None:
            return b""
        bodies = [answer] if isinstance(answer, bytes) else answer
        return self._told(bodies, speaks=body[:1] in RESUMING and answer[:1] == b"T")
