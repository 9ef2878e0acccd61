"""What lldb asks for beside gdb: it makes itself known, and asks for stops by thread.

Its steps end where the program counter has moved, or at an exception: so a vCPU that
cannot be stepped stops with one, whose description is the reason. It keeps that step,
and has it done when it goes on (`resuming`).

Source: LLDB "GDB remote protocol extensions" (`docs/lldb-gdb-remote.txt`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb import stopped
from lapis_sessions.gdb.conversation import SILENT, TRAP, vcpu_of

if TYPE_CHECKING:
    from lapis_sessions.gdb.conversation import Conversation

STOP_INFO: Final = "qThreadStopInfo"
"""The query whose thread follows its name at once."""


def known(talk: Conversation, _text: str) -> bytes:
    """Note that the client is lldb; what it asks by this packet is not there."""
    talk.is_lldb = True
    return b""


def stop_info(talk: Conversation, text: str) -> bytes:
    """Say why a thread stands: the one that the last stop was about, or another."""
    whom = vcpu_of(talk, text)
    number = talk.general if whom is None else whom
    signal = TRAP if number == talk.stopped else SILENT
    return stopped.standing(talk, number, signal)
