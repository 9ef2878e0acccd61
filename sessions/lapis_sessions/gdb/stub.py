"""One client's conversation with a session: bytes that came, bytes to send.

There is no socket here and no clock. Who carries the bytes calls `receive` with what
came and sends what it returns, and while `is_running` calls `go` in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.gdb import (
    description,
    marks,
    memory,
    monitor,
    queries,
    resuming,
    reversing,
    stopped,
)
from lapis_sessions.gdb.conversation import Conversation, vcpu_of
from lapis_sessions.gdb.marks import Mark, Marks
from lapis_sessions.gdb.packets import (
    LARGEST,
    Arrival,
    Framer,
    escaped,
    framed,
    unescaped,
)
from lapis_sessions.gdb.refusal import (
    BAD_PACKET,
    NO_MEMORY,
    NO_THREAD,
    PacketError,
    number,
)
from lapis_sessions.gdb.registers import Owner
from lapis_sessions.text.visible import printed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_sessions.session import Session

    Answer = bytes | None
    """The body of a packet; None where there is none, or not yet."""

ARCHITECTURES: Final = {
    "auto": description.ARCHITECTURES[0], "x86-64": description.ARCHITECTURES[0],
    "i386": description.ARCHITECTURES[1], "i8086": description.ARCHITECTURES[2],
}  # fmt: skip
"""What a client can be told the machine is. The description stays as it is while the
client is there, so `auto` is the widest: it has every register of every mode."""


class Stub:
    """One client's conversation with a session."""

    def __init__(
        self,
        session: Session,
        *,
        architecture: str = "auto",
        is_asked_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin with the vCPU that the session has selected.

        Args:
            session: What it is about.
            architecture: One of `ARCHITECTURES`.
            is_asked_to_stop: Asked on a long way back whether 0x03 has come, which
                `receive` is then to be given.
        """
        machine = session.machine
        self._talk = Conversation(
            session, description.of(ARCHITECTURES[architecture]), Marks(machine),
            is_asked_to_stop, session.selected,
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
                return self._told([run.interrupt()])
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
        return self._told([answer])

    def close(self) -> None:
        """Take the client's breakpoints out: it has gone, by whatever way."""
        self._talk.run = None
        self._talk.has_ended = True
        self._talk.marks.clear()

    def _told(self, bodies: Sequence[bytes]) -> bytes:
        """Return packets, behind what is owed to the client in words."""
        talk = self._talk
        owed = list[bytes]()
        if bodies[0][:1] in {b"T", b"S"}:
            notices, talk.session.notices[:] = list(talk.session.notices), []
            owed = monitor.shown(printed("\n".join([*notices, *talk.owed])))
            talk.owed.clear()
        self._sent = b"".join(map(framed, [*owed, *bodies]))
        return self._sent

    def _answered(self, body: bytes) -> bytes:
        """Return the packets that answer one."""
        talk = self._talk
        if talk.run is not None:
            talk.note("a packet was passed over: the machine runs")
            return b""
        try:
            answer = self._answer(body)
        except PacketError as refused:
            talk.note(printed(str(refused)))
            if refused.in_words:
                return self._told([f"E.{refused}".encode()])
            return self._told([b"E%02x" % refused.number])
        except LapisError as error:
            talk.note(printed(str(error)))
            return self._told([b"E01"])
        if answer is None:
            return b""
        return self._told([answer] if isinstance(answer, bytes) else answer)

    def _answer(self, body: bytes) -> bytes | list[bytes] | None:
        if body[:1] == b"X":
            return self._write_binary(body[1:])
        text = body.decode("latin-1")
        if text.startswith("qRcmd,"):
            return monitor.perform(self._talk, text[6:])
        if text[:1] in {"q", "Q"}:
            name = min((text.partition(mark)[0] for mark in ":,;"), key=len)
            handler = queries.QUERIES.get(name)
            rest = text[len(name) + 1 :]
            return b"" if handler is None else handler(self._talk, rest)
        if text.startswith("v"):
            return self._verb(text)
        one = LETTERS.get(text[:1])
        return b"" if one is None else one(self, text[1:])

    def _verb(self, text: str) -> Answer:
        talk = self._talk
        name, _, rest = text.partition(";")
        if name == "vCont?":
            return b"vCont;c;C;s;S;t"
        if name == "vCont":
            return resuming.begin(talk, *resuming.actions(talk, rest))
        if name == "vKill":
            return self._leave("OK")
        if name == "vCtrlC":
            return b"OK"
        if name.startswith("vFile:"):
            talk.note("host I/O was asked for, and is off")
            return b"F-1,58"  # ENOSYS
        return b""

    # Letters.

    def _why(self, _text: str) -> Answer:
        talk = self._talk
        return talk.last_stop or stopped.reply(talk, talk.general)

    def _registers(self, _text: str) -> Answer:
        talk, machine = self._talk, self._talk.session.machine
        owner = Owner(machine, machine.vcpu(talk.general))
        found = b"".join(each.bytes(owner) for each in talk.description.registers)
        return found.hex().encode()

    def _write_registers(self, text: str) -> Answer:
        talk, machine = self._talk, self._talk.session.machine
        owner, data = Owner(machine, machine.vcpu(talk.general)), _from_hex(text)
        at = 0
        for index, each in enumerate(talk.description.registers):
            piece, at = data[at : at + each.size], at + each.size
            if len(piece) == each.size and piece != each.bytes(owner):
                self._write(index, piece)
        return b"OK"

    def _register(self, text: str) -> Answer:
        talk, machine = self._talk, self._talk.session.machine
        index = number(text, "a register")
        if not 0 <= index < len(talk.description.registers):
            raise PacketError(BAD_PACKET, f"there is no register {index}")
        owner = Owner(machine, machine.vcpu(talk.general))
        return talk.description.registers[index].bytes(owner).hex().encode()

    def _write_register(self, text: str) -> Answer:
        name, _, value = text.partition("=")
        index = number(name, "a register")
        if not 0 <= index < len(self._talk.description.registers):
            raise PacketError(BAD_PACKET, f"there is no register {index}")
        self._write(index, _from_hex(value))
        return b"OK"

    def _write(self, index: int, data: bytes) -> None:
        """Write a register as the user's act; raise `PacketError` in words."""
        talk = self._talk
        register = talk.description.registers[index]
        if register.write is None:
            why = f"{register.name} cannot be written from here"
            raise PacketError(BAD_PACKET, why, in_words=True)
        value = int.from_bytes(data[: register.size], "little")
        try:
            register.write(talk.session.machine, talk.general, value)
        except LapisError as error:
            raise PacketError(BAD_PACKET, printed(str(error)), in_words=True) from None

    def _memory(self, text: str) -> Answer:
        return memory.read(self._talk, *self._span(text)).hex().encode()

    def _binary_memory(self, text: str) -> Answer:
        return b"b" + escaped(memory.read(self._talk, *self._span(text)))

    def _span(self, text: str) -> tuple[int, int]:
        at, size = memory.span(text)
        if at < 0 or size < 0:
            raise PacketError(NO_MEMORY, "addresses and lengths are not negative")
        return at, size

    def _write_memory(self, text: str) -> Answer:
        where, _, hexed = text.partition(":")
        return self._store(where, _from_hex(hexed))

    def _write_binary(self, body: bytes) -> Answer:
        where, _, data = body.partition(b":")
        return self._store(where.decode("latin-1"), unescaped(data))

    def _store(self, where: str, data: bytes) -> Answer:
        at, size = self._span(where)
        if size != len(data):
            raise PacketError(BAD_PACKET, f"{len(data)} bytes where {size} are said")
        memory.write(self._talk, at, data)
        return b"OK"

    def _select(self, text: str) -> Answer:
        talk = self._talk
        whom = vcpu_of(talk, text[1:])
        if text[:1] == "g":
            talk.general = talk.general if whom is None else whom
            talk.session.select(talk.general)
        elif text[:1] == "c":
            talk.resumed = None if text[1:] in {"0", ""} else whom
        else:
            raise PacketError(BAD_PACKET, f"H{text[:1]} is no operation")
        return b"OK"

    def _alive(self, text: str) -> Answer:
        if vcpu_of(self._talk, text) is None:
            raise PacketError(NO_THREAD, "T is about one thread")
        return b"OK"

    def _continue(self, text: str, *, signal: bool = False) -> Answer:
        return self._resume(text, steps=False, signal=signal)

    def _resume(self, text: str, *, steps: bool, signal: bool = False) -> Answer:
        """Do `c`, `s`, `C` or `S`, from an address if there is one."""
        talk = self._talk
        at = text.partition(";")[2] if signal else text
        count = len(talk.session.machine.vcpus)
        whom = talk.general if talk.resumed is None else talk.resumed
        if at:
            index = talk.description.pc
            size = talk.description.registers[index].size
            place = number(at, "an address") & ((1 << 8 * size) - 1)
            talk.general = whom
            self._write(index, place.to_bytes(size, "little"))
        if steps:
            others = [n for n in range(count) if n != whom]
            return resuming.begin(talk, [whom], others)
        goes = range(count) if talk.resumed is None else [talk.resumed]
        return resuming.begin(talk, [], list(goes))

    def _back(self, text: str) -> Answer:
        if text not in {"s", "c"}:
            return b""
        reversing.begin(self._talk, is_step=text == "s")
        return None

    def _set(self, text: str) -> Answer:
        mark = _mark(text)
        if mark is None:
            return b""
        talk = self._talk
        talk.marks.add(mark, talk.general, physical=talk.is_physical)
        return b"OK"

    def _clear(self, text: str) -> Answer:
        mark = _mark(text)
        if mark is None:
            return b""
        self._talk.marks.remove(mark)
        return b"OK"

    def _detach(self, _text: str) -> Answer:
        return self._leave("OK")

    def _kill(self, _text: str) -> Answer:
        self._leave("OK")
        return None

    def _leave(self, word: str) -> bytes:
        """End the conversation; the machine stays as it is."""
        self.close()
        return word.encode()

    def _restart(self, _text: str) -> Answer:
        self._talk.note("a restart was asked for: `monitor` has what resets a machine")
        return None


LETTERS: Final[dict[str, Callable[[Stub, str], Answer]]] = {
    "?": Stub._why,  # noqa: SLF001 - its own methods, by the letters of packets
    "g": Stub._registers,  # noqa: SLF001
    "G": Stub._write_registers,  # noqa: SLF001
    "p": Stub._register,  # noqa: SLF001
    "P": Stub._write_register,  # noqa: SLF001
    "m": Stub._memory,  # noqa: SLF001
    "M": Stub._write_memory,  # noqa: SLF001
    "x": Stub._binary_memory,  # noqa: SLF001
    "H": Stub._select,  # noqa: SLF001
    "T": Stub._alive,  # noqa: SLF001
    "c": Stub._continue,  # noqa: SLF001
    "C": lambda stub, text: stub._continue(text, signal=True),  # noqa: SLF001
    "s": lambda stub, text: stub._resume(text, steps=True),  # noqa: SLF001
    "S": lambda stub, text: stub._resume(text, steps=True, signal=True),  # noqa: SLF001
    "b": Stub._back,  # noqa: SLF001
    "Z": Stub._set,  # noqa: SLF001
    "z": Stub._clear,  # noqa: SLF001
    "D": Stub._detach,  # noqa: SLF001
    "k": Stub._kill,  # noqa: SLF001
    "R": Stub._restart,  # noqa: SLF001
}


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise PacketError(BAD_PACKET, "the data is not in hex") from None


def _mark(text: str) -> Mark | None:
    """Read `type,address,kind`; None for a type that there is not."""
    words = text.partition(";")[0].split(",")
    if len(words) != 3:
        raise PacketError(BAD_PACKET, "Z takes a type, an address and a kind")
    kind = number(words[0], "a type")
    if kind not in {marks.SOFTWARE, marks.HARDWARE, *marks.WATCHES}:
        return None
    at, size = number(words[1], "an address"), number(words[2], "a kind")
    if at < 0 or size < 0:
        raise PacketError(NO_MEMORY, "addresses and lengths are not negative")
    return Mark(kind, at, size if kind in marks.WATCHES else 0)
