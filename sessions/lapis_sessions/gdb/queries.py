"""Packets that ask: what is supported, threads, documents.

Source: GDB manual "General Query Packets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb import (
    disassembly,
    lldb,
    memory,
    memory_map,
    osdata,
    packets,
    threads,
)
from lapis_sessions.gdb.conversation import vcpu_of
from lapis_sessions.gdb.packets import escaped
from lapis_sessions.gdb.refusal import BAD_PACKET, NO_THREAD, PacketError, in_hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.gdb.conversation import Conversation

FEATURES: Final = (
    f"PacketSize={packets.SIZE:x}", "QStartNoAckMode+", "swbreak+", "hwbreak+",
    "vContSupported+", "ReverseStep+", "ReverseContinue+", "qXfer:features:read+",
    "qXfer:memory-map:read+", "qXfer:threads:read+", "qXfer:osdata:read+",
    "binary-upload+",
)  # fmt: skip
REASONS: Final = ("swbreak", "hwbreak")
XML: Final = "xmlRegisters="
"""What the architectures stand behind whose descriptions a client can read."""


def supported(talk: Conversation, text: str) -> bytes:
    """Say what we can, and note what the client can."""
    theirs = text.split(";")
    talk.knows_reasons = frozenset(r for r in REASONS if f"{r}+" in theirs)
    known = [each[len(XML) :].split(",") for each in theirs if each.startswith(XML)]
    if known and not {"i386", "x86-64"} & set(known[0]):
        names = ", ".join(known[0])[:80]
        talk.say(f"this gdb knows the registers of {names} and not those of i386")
    return ";".join(FEATURES).encode()


def no_ack(talk: Conversation, _text: str) -> bytes:
    """Acknowledge no more, from the next packet on."""
    talk.has_acks = False
    return b"OK"


def all_threads(talk: Conversation, _text: str) -> bytes:
    """List the threads, all at once."""
    count = len(talk.session.machine.vcpus)
    return b"m" + ",".join(f"{n + 1:x}" for n in range(count)).encode()


def no_more(_talk: Conversation, _text: str) -> bytes:
    """End the list."""
    return b"l"


def thread_extra(talk: Conversation, text: str) -> bytes:
    """Say the run-state of a thread and why it stands."""
    whom = vcpu_of(talk, text)
    if whom is None:
        raise PacketError(NO_THREAD, "qThreadExtraInfo is about one thread")
    session = talk.session
    told = f"{threads.name(session, whom)}; {threads.extra(session, whom)}"
    return told.encode().hex().encode()


def current(talk: Conversation, _text: str) -> bytes:
    """Name the thread that is selected."""
    return f"QC{talk.general + 1:x}".encode()


def transfer(talk: Conversation, text: str) -> bytes:
    """Answer `object:read:annex:offset,length`."""
    name, _, rest = text.partition(":")
    verb, _, rest = rest.partition(":")
    annex, _, window = rest.rpartition(":")
    if verb != "read" or name not in DOCUMENTS:
        return b""
    at, size = memory.span(window)
    if at < 0 or size < 0:
        raise PacketError(BAD_PACKET, "a window of a document begins at 0 or later")
    whole = DOCUMENTS[name](talk, annex)
    piece = whole[at : at + min(size, packets.SIZE // 2)]
    more = b"m" if at + len(piece) < len(whole) else b"l"
    return more + escaped(piece)


def _features(talk: Conversation, annex: str) -> bytes:
    if annex != "target.xml":
        raise PacketError(0, f"there is no description {annex[:40]!r}")
    return talk.description.xml


DOCUMENTS: Final[dict[str, Callable[[Conversation, str], bytes]]] = {
    "features": _features,
    "memory-map": lambda talk, _annex: memory_map.document(talk.session),
    "threads": lambda talk, _annex: threads.listing(talk.session),
    "osdata": lambda talk, annex: osdata.document(talk.session, annex),
}


def physical_mode(talk: Conversation, _text: str) -> bytes:
    """Say whether addresses are physical, as QEMU's stub does."""
    return b"1" if talk.is_physical else b"0"


def set_physical_mode(talk: Conversation, text: str) -> bytes:
    """Have addresses be physical, or linear."""
    talk.is_physical = bool(in_hex(text, "0 or 1"))
    return b"OK"


QUERIES: Final[dict[str, Callable[[Conversation, str], bytes]]] = {
    "qSupported": supported,
    "QThreadSuffixSupported": lldb.known,
    "QStartNoAckMode": no_ack,
    "qfThreadInfo": all_threads,
    "qsThreadInfo": no_more,
    "qThreadExtraInfo": thread_extra,
    "qC": current,
    "qAttached": lambda _talk, _text: b"1",
    "qOffsets": lambda _talk, _text: b"Text=0;Data=0;Bss=0",
    "qXfer": transfer,
    "qLapis.Instruction": disassembly.instruction,
    "QLapis.Client": disassembly.client,
    "qqemu.PhyMemMode": physical_mode,
    "Qqemu.PhyMemMode": set_physical_mode,
}
"""By name: what stands before the first of `:`, `,` and `;`."""
