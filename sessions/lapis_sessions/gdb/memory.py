"""Memory for a client: looked at without a trace, written as an act of the user's.

Addresses are linear, through the page tables of the vCPU that is selected, or physical
by `qqemu.PhyMemMode`. Only RAM and ROM are read: a device is never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_engine.units import PAGE
from lapis_sessions.gdb.refusal import NO_MEMORY, PacketError, in_hex

if TYPE_CHECKING:
    from lapis_sessions.gdb.conversation import Conversation

MOST: Final = 0x8000
"""Bytes that are read at once: what comes of it fits into a packet."""
PIECE: Final = PAGE
"""Bytes that are written at once, wherever they begin."""


def span(text: str) -> tuple[int, int]:
    """Read `ADDRESS,LENGTH`; raise `PacketError`."""
    first, _, length = text.partition(",")
    at, size = in_hex(first, "an address"), in_hex(length, "a length")
    if at < 0 or size < 0:
        raise PacketError(NO_MEMORY, "addresses and lengths are not negative")
    return at, size


def read(talk: Conversation, at: int, size: int) -> bytes:
    """Return up to `size` bytes, fewer where memory ends; raise `PacketError`."""
    machine, size = talk.session.machine, min(size, MOST)
    out = b""
    while len(out) < size:
        here = at + len(out)
        piece = min(size - len(out), PAGE - here % PAGE)
        try:
            out += (
                machine.read_physical(here, piece)
                if talk.is_physical
                else machine.read_memory(talk.general, here, piece)
            )
        except LapisError as error:
            if out:
                break
            raise PacketError(NO_MEMORY, str(error)) from None
    return out


def write(talk: Conversation, at: int, data: bytes) -> None:
    """Store bytes in RAM; raise `PacketError`.

    Up to `PIECE` bytes are written, or none; of more, those before may be.
    """
    machine = talk.session.machine
    while data:
        piece = data[:PIECE]
        try:
            machine.write_memory(
                talk.general, at, piece.hex(), physical=talk.is_physical
            )
        except LapisError as error:
            talk.say(f"{at:#x} cannot be written: {error}")
            raise PacketError(NO_MEMORY, str(error)) from None
        at, data = at + PIECE, data[PIECE:]
