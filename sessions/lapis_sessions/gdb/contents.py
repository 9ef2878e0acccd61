"""Packets about registers and memory of the thread that is selected.

Source: GDB manual "Packets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_sessions.gdb import memory
from lapis_sessions.gdb.packets import escaped, unescaped
from lapis_sessions.gdb.refusal import BAD_PACKET, PacketError, in_hex
from lapis_sessions.gdb.register import Owner, Register
from lapis_sessions.text.visible import printed

if TYPE_CHECKING:
    from lapis_sessions.gdb.conversation import Conversation


def owner_of(talk: Conversation) -> Owner:
    """Return whose registers the selected thread has."""
    machine = talk.session.machine
    return Owner(machine, machine.vcpu(talk.general))


def read_all(talk: Conversation, _text: str) -> bytes:
    """Answer `g`: every register of the selected thread."""
    owner = owner_of(talk)
    found = [each.fetch(owner) for each in talk.description.registers]
    return b"".join(found).hex().encode()


def write_all(talk: Conversation, text: str) -> bytes:
    """Do `G`: of all registers what differs."""
    owner, data, at = owner_of(talk), _from_hex(text), 0
    changed = list[tuple[Register, bytes]]()
    for each in talk.description.registers:
        piece, at = data[at : at + each.size], at + each.size
        if len(piece) == each.size and piece != each.fetch(owner):
            changed.append((each, piece))
    for register, piece in changed:  # one may change what is in another
        store(owner, register, piece)
    return b"OK"


def _numbered(talk: Conversation, text: str) -> Register:
    index = in_hex(text, "a register")
    if not 0 <= index < len(talk.description.registers):
        raise PacketError(BAD_PACKET, f"there is no register {index}")
    return talk.description.registers[index]


def read_one(talk: Conversation, text: str) -> bytes:
    """Answer `p`."""
    return _numbered(talk, text).fetch(owner_of(talk)).hex().encode()


def write_one(talk: Conversation, text: str) -> bytes:
    """Do `P`."""
    name, _, value = text.partition("=")
    store(owner_of(talk), _numbered(talk, name), _from_hex(value))
    return b"OK"


def store(owner: Owner, register: Register, data: bytes) -> None:
    """Write a register as the user's act; raise `PacketError` in words."""
    try:
        register.store(owner, data)
    except PacketError:
        raise
    except LapisError as error:
        raise PacketError(BAD_PACKET, printed(str(error)), in_words=True) from None


def read_memory(talk: Conversation, text: str) -> bytes:
    """Answer `m`, in hex."""
    return memory.read(talk, *memory.span(text)).hex().encode()


def read_binary(talk: Conversation, text: str) -> bytes:
    """Answer `x`, as it is."""
    return b"b" + escaped(memory.read(talk, *memory.span(text)))


def write_memory(talk: Conversation, text: str) -> bytes:
    """Do `M`."""
    where, _, hexed = text.partition(":")
    return _write(talk, where, _from_hex(hexed))


def write_binary(talk: Conversation, body: bytes) -> bytes:
    """Do `X`."""
    where, _, data = body.partition(b":")
    return _write(talk, where.decode("latin-1"), unescaped(data))


def _write(talk: Conversation, where: str, data: bytes) -> bytes:
    at, size = memory.span(where)
    if size != len(data):
        raise PacketError(BAD_PACKET, f"{len(data)} bytes where {size} are said")
    memory.write(talk, at, data)
    return b"OK"


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise PacketError(BAD_PACKET, "the data is not in hex") from None
