"""`monitor`: any command of the session, its text as console output.

It is about the vCPU that stopped last, or the one that `monitor vcpu` has selected: gdb
does not tell which thread its user has selected, and what it asks for tells nothing, as
it asks for each in turn to list them. The file that Lapis has for gdb does tell it.

A command that fails says why in words. One that moves the machine leaves gdb with
registers that it has kept from before: the protocol has no way to tell it, so the text
says how to have them read anew, and the file that Lapis has for gdb does it by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb.conversation import console
from lapis_sessions.gdb.refusal import BAD_PACKET, PacketError

if TYPE_CHECKING:
    from lapis_sessions.gdb.conversation import Conversation

PIECE: Final = 0x3000
"""Letters of one packet of console output."""
MOVED: Final = (
    "the machine was moved: `maintenance flush register-cache` has gdb read anew"
)
LONGEST: Final = 0x8000
"""Letters of a line."""


def perform(talk: Conversation, hexed: str) -> list[bytes]:
    """Do a command; return the bodies of the packets that answer."""
    try:
        line = bytes.fromhex(hexed).decode()
    except ValueError:
        raise PacketError(BAD_PACKET, "qRcmd is not text in hex") from None
    if len(line) > LONGEST:
        raise PacketError(BAD_PACKET, f"a command of {len(line)} letters")
    session = talk.session
    before, mark = _view(talk), len(session.notices)
    outcome = session.execute(line.strip() or "help")
    text = outcome.text
    told = session.notices[mark:]
    session.notices[mark:] = []
    rows = [_whom(talk), text if outcome.ok else f"error: {text}", *told, *talk.owed]
    talk.owed.clear()
    if _view(talk) != before:
        talk.refused = None
        rows += [] if talk.flushes else [MOVED]
    return [*shown("\n".join(row for row in rows if row)), b"OK"]


def _whom(talk: Conversation) -> str:
    """Say whom the command was about where gdb's user may think of another."""
    apart = talk.general, talk.session.selected
    if talk.flushes or apart[0] == apart[1] or apart == talk.told_apart:
        return ""
    talk.told_apart = apart
    return (
        f"(this is about vCPU {apart[1]}, thread {apart[1] + 1}; `monitor vcpu N` "
        "selects another)"
    )


def _view(talk: Conversation) -> object:
    """Return what tells whether gdb's view is old."""
    timeline = talk.session.timeline
    return timeline.spot, timeline.branch.name, timeline.travels, timeline.made


def shown(text: str) -> list[bytes]:
    """Return the bodies of packets that have the client show a text and end the row."""
    if not text:
        return []
    text = text.rstrip("\n") + "\n"
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return [console(piece) for piece in pieces]
