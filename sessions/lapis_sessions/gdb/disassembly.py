"""Packets of our own, for the file that Lapis has for gdb (`in_gdb`).

gdb has one architecture for all threads, from the description that it was given when it
connected, and takes real-mode code for 64-bit code. So it can ask for an instruction in
the mode that the vCPU is in.

Tried and left, with gdb 13: `set architecture` is refused once a description names
another one; a description that names none, with the registers of both, ends in an
assertion of gdb's (`tdesc_use_registers`); a stop with `exec:`, at which gdb does fetch
a description anew, announces a new program, drops all threads but one, and has all of
them be of that architecture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.gdb.conversation import vcpu_of
from lapis_sessions.gdb.refusal import (
    BAD_PACKET,
    NO_MEMORY,
    NO_THREAD,
    PacketError,
    in_hex,
)

if TYPE_CHECKING:
    from lapis_sessions.gdb.conversation import Conversation


def instruction(talk: Conversation, text: str) -> bytes:
    """Answer `THREAD,ADDRESS,att|intel` by `BITS,LENGTH,TEXT`, the text in hex."""
    talk.knows_modes = True
    words = text.split(",")
    if len(words) != 3 or words[2] not in {"att", "intel"}:
        raise PacketError(BAD_PACKET, "an instruction: a thread, an address, a syntax")
    whom, at = vcpu_of(talk, words[0]), in_hex(words[1], "an address")
    if whom is None:
        raise PacketError(NO_THREAD, "an instruction is of one thread")
    machine, is_att = talk.session.machine, words[2] == "att"
    lines = machine.disassemble(whom, at, 1, is_att=is_att)
    if not lines:
        raise PacketError(NO_MEMORY, f"there is no memory at {at:#x}")
    line, bits = lines[0], machine.vcpu(whom).regs.code_bits
    shown = f"{line.mnemonic}\t{line.operands}".strip()
    return f"{bits:x},{len(line.code):x},{shown.encode().hex()}".encode()


def client(talk: Conversation, text: str) -> bytes:
    """Take the thread that gdb's user has selected; it reads registers anew itself."""
    whom = vcpu_of(talk, text)
    talk.flushes = talk.knows_modes = True
    if whom is not None:
        talk.session.select(whom)
    return b"OK"
