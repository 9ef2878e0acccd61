"""What is done at each packet: a table by its first letter, or by its verb.

Source: GDB manual "Packets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb import (
    contents,
    lldb,
    marks,
    memory,
    monitor,
    queries,
    resuming,
    reversing,
    stopped,
)
from lapis_sessions.gdb.conversation import vcpu_of
from lapis_sessions.gdb.marks import Mark
from lapis_sessions.gdb.refusal import (
    BAD_PACKET,
    NO_THREAD,
    PacketError,
    in_hex,
)
from lapis_sessions.gdb.resuming import Actions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.gdb.conversation import Conversation

    Answer = bytes | list[bytes] | None
    """The body of the packet that answers, or of several; None where there is none, or
    not yet."""
    Handler = Callable[[Conversation, str], Answer]

NO_HOST_IO: Final = b"F-1,58"
"""ENOSYS."""


def answer(talk: Conversation, body: bytes) -> Answer:
    """Answer a packet; raise `PacketError` or `LapisError`."""
    if body[:1] == b"X":
        return contents.write_binary(talk, body[1:])
    text = body.decode("latin-1")
    if text.startswith("qRcmd,"):
        return monitor.perform(talk, text[6:])
    if text[:1] in {"q", "Q"}:
        if text.startswith(lldb.STOP_INFO):
            return lldb.stop_info(talk, text.removeprefix(lldb.STOP_INFO))
        name = min((text.partition(mark)[0] for mark in ":,;"), key=len)
        query = queries.QUERIES.get(name)
        return b"" if query is None else query(talk, text[len(name) + 1 :])
    if text.startswith("v"):
        return _verb(talk, text)
    handler = LETTERS.get(text[:1])
    return b"" if handler is None else handler(talk, text[1:])


def _verb(talk: Conversation, text: str) -> Answer:
    name, _, rest = text.partition(";")
    if name.startswith("vFile:"):
        talk.note("host I/O was asked for, and is off")
        return NO_HOST_IO
    verb = VERBS.get(name)
    return b"" if verb is None else verb(talk, rest)


def _go_on(talk: Conversation, text: str) -> Answer:
    return resuming.begin(talk, resuming.actions(talk, text))


def _why(talk: Conversation, _text: str) -> Answer:
    return stopped.reply(talk, talk.session.selected)


# Threads.


def _select(talk: Conversation, text: str) -> Answer:
    whom = vcpu_of(talk, text[1:])
    if text[:1] == "g":
        talk.general = talk.general if whom is None else whom
    elif text[:1] == "c":
        talk.resumed = None if text[1:] == "0" else whom
    else:
        raise PacketError(BAD_PACKET, f"H{text[:1]} is no operation")
    return b"OK"


def _alive(talk: Conversation, text: str) -> Answer:
    if vcpu_of(talk, text) is None:
        raise PacketError(NO_THREAD, "T is about one thread")
    return b"OK"


# Going on, and back.


def _resume(*, steps: bool, has_signal: bool) -> Handler:
    """Return what does `c`, `s`, `C` or `S`, from an address if there is one."""

    def perform(talk: Conversation, text: str) -> Answer:
        at = text.partition(";")[2] if has_signal else text
        whom = talk.general if talk.resumed is None else talk.resumed
        every = range(len(talk.session.machine.vcpus))
        if at:
            talk.general = whom
            pc = talk.description.registers[talk.description.pc]
            place = in_hex(at, "an address") & ((1 << pc.bits) - 1)
            contents.store(
                contents.owner_of(talk), pc, place.to_bytes(pc.size, "little")
            )
        if steps:
            others = [n for n in every if n != whom]
            return resuming.begin(talk, Actions([whom], others))
        goes = list(every) if talk.resumed is None else [talk.resumed]
        return resuming.begin(talk, Actions([], goes))

    return perform


def _back(talk: Conversation, text: str) -> Answer:
    if text not in {"s", "c"}:
        return b""
    reversing.begin(talk, is_step=text == "s")
    return None


# Breakpoints and watchpoints.


def _set(talk: Conversation, text: str) -> Answer:
    mark = _mark(text)
    if mark is None:
        return b""
    talk.marks.add(mark, talk.general, physical=talk.is_physical)
    return b"OK"


def _clear(talk: Conversation, text: str) -> Answer:
    mark = _mark(text)
    if mark is None:
        return b""
    talk.marks.remove(mark)
    return b"OK"


def _mark(text: str) -> Mark | None:
    """Read `type,address,kind`; None for a type that there is not."""
    words = text.partition(";")[0].split(",")
    if len(words) != 3:
        raise PacketError(BAD_PACKET, "Z takes a type, an address and a kind")
    kind = in_hex(words[0], "a type")
    if kind not in {*marks.KINDS, *marks.WATCHES}:
        return None
    at, size = memory.span(f"{words[1]},{words[2]}")
    return Mark(kind, at, size if kind in marks.WATCHES else 0)


# The end.


def _extend(talk: Conversation, _text: str) -> Answer:
    talk.is_extended = True
    return b"OK"


def _leave(talk: Conversation, _text: str) -> Answer:
    talk.leave()
    return b"OK"


def _kill_process(talk: Conversation, text: str) -> Answer:
    if talk.is_extended:  # where gdb's `run` begins so
        raise PacketError(
            NO_THREAD,
            "a machine is not killed or run from its beginning by gdb: `monitor goto "
            "start` goes there, and `detach` leaves",
        )
    return _leave(talk, text)


def _kill(talk: Conversation, _text: str) -> Answer:
    talk.leave()
    return None


def _restart(talk: Conversation, _text: str) -> Answer:
    talk.note("a restart was asked for: `monitor` has what resets a machine")
    return None


LETTERS: Final[dict[str, Handler]] = {
    "?": _why, "g": contents.read_all, "G": contents.write_all, "p": contents.read_one,
    "P": contents.write_one, "m": contents.read_memory, "M": contents.write_memory,
    "x": contents.read_binary,
    "H": _select, "T": _alive, "b": _back, "Z": _set, "z": _clear, "D": _leave,
    "k": _kill, "!": _extend, "R": _restart,
    "c": _resume(steps=False, has_signal=False),
    "C": _resume(steps=False, has_signal=True),
    "s": _resume(steps=True, has_signal=False),
    "S": _resume(steps=True, has_signal=True),
}  # fmt: skip
VERBS: Final[dict[str, Handler]] = {
    "vCont?": lambda _talk, _text: b"vCont;c;C;s;S;t;r", "vCont": _go_on,
    "vKill": _kill_process, "vCtrlC": lambda _talk, _text: b"OK",
}  # fmt: skip
