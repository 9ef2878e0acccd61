"""What is known of one client while it is connected, and what can be refused it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from lapis_sessions.gdb.refusal import NO_THREAD, PacketError, in_hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.gdb.description import Description
    from lapis_sessions.gdb.marks import Marks
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.branches import Spot

TRAP: Final = 5
"""SIGTRAP: gdb's word for a stop that was asked for."""
INTERRUPTED: Final = 2
"""SIGINT: the stop that 0x03 asks for."""
FAULT: Final = 11
"""SIGSEGV: the processor of the engine could not go on."""
SILENT: Final = 0
"""No signal: gdb stops there whatever it was about."""
MOST_SAID: Final = 100
"""Sentences that are kept for who serves; the oldest go."""


class Resumption(Protocol):
    """A resumption that is going on."""

    def go(self, instructions: int) -> bytes | None:
        """Do a slice; return the answer to the client, or None while there is none."""
        ...

    def interrupt(self) -> bytes:
        """Break off; return the answer."""
        ...


class Touched(NamedTuple):
    """A stop just behind an access to what is watched."""

    spot: Spot
    vcpu: int
    number: int
    """Of the watchpoint."""


@dataclass(slots=True)
class Conversation:
    """One client's view of a session."""

    session: Session
    description: Description
    marks: Marks
    is_asked_to_stop: Callable[[], bool]
    """Asked on a long way back whether the client wants it broken off."""
    general: int = 0
    """The vCPU that registers and memory are about (`Hg`)."""
    resumed: int | None = None
    """The vCPU that `c`, `s`, `bs` and `bc` are about (`Hc`); None for all."""
    is_beside: bool = False
    """Who serves sits where the client does, and sees what it is told."""
    is_physical: bool = False
    """Addresses are guest-physical (`qqemu.PhyMemMode`)."""
    has_acks: bool = True
    knows_reasons: frozenset[str] = frozenset()
    """Of swbreak and hwbreak those that the client understands."""
    told_apart: tuple[int, int] | None = None
    """The thread and the selected vCPU that `monitor` has told apart last."""
    is_extended: bool = False
    """The client would stay when what it debugs is gone (`target extended-remote`)."""
    is_lldb: bool = False
    """The client is lldb, which takes reasons in words with a stop."""
    knows_modes: bool = False
    """It shows code of every mode as such, or was told how to have it shown."""
    flushes: bool = False
    """It reads registers anew after each command of `monitor`."""
    run: Resumption | None = None
    has_ended: bool = False
    stopped: int | None = None
    """The vCPU that the last stop was about."""
    refused: int | None = None
    """The vCPU whose step was refused last, with nothing moved since."""
    end_owed: Spot | None = None
    """The end of a branch that a step came to: to go on from there is answered by that
    end, once."""
    touched: Touched | None = None
    """Where the last watchpoint was met on the way forward."""
    said: list[str] = field(default_factory=list)
    """Sentences for who serves, oldest first."""
    owed: list[str] = field(default_factory=list)
    """Sentences for the client, until it can be told."""

    def leave(self) -> None:
        """End: the machine stays as it is, without the client's breakpoints."""
        self.run = None
        self.has_ended = True
        self.marks.clear()

    def say(self, text: str) -> None:
        """Keep a sentence for the client, and for who serves elsewhere.

        gdb tries some things twice: the sentence is kept once.
        """
        if self.owed[-1:] == [text]:
            return
        if not self.is_beside:
            self.note(text)
        self.owed.append(text)

    def note(self, text: str) -> None:
        """Keep a sentence for who serves alone."""
        self.said.append(text)
        del self.said[:-MOST_SAID]


def vcpu_of(talk: Conversation, text: str) -> int | None:
    """Return the vCPU of a thread id, None for all; raise `PacketError`.

    A process before it, as `p1.2`, is not looked at: there is one.
    """
    thread = text.rpartition(".")[2] if text.startswith("p") else text
    if text.startswith("p") and "." not in text:
        thread = "-1"
    value = in_hex(thread, "a thread")
    if value == -1:
        return None
    if value == 0:
        return talk.general
    count = len(talk.session.machine.vcpus)
    if not 1 <= value <= count:
        raise PacketError(
            NO_THREAD, f"there is no thread {value:#x}; they are 1 to {count}"
        )
    return value - 1


def console(text: str) -> bytes:
    """Return the body of a packet that has the client show a text."""
    return b"O" + text.encode("utf-8", "replace").hex().encode()
