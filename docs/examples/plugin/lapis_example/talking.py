"""What one asks about the mailbox and the APICs: a command, a pane, an explainer.

A command gets the session, and returns data; what it prints is made of the data. A pane
gets a snapshot, which nothing changes any more, and a size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.bits import bits
from lapis_engine.explain.fields import Explanation, explained
from lapis_plugins.devices import state_of
from lapis_sessions.extensions import Explainer, Function, Pane
from lapis_sessions.registry import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.extensions import Row, Size
    from lapis_sessions.registry import Bound
    from lapis_sessions.session import Session
    from lapis_sessions.views.snapshot import Snapshot


def look(session: Session, _bound: Bound) -> dict[str, Any]:
    """Return what is in the mailbox."""
    state = state_of(session.machine, "mailbox")
    return {"letter": state.letter, "posted": state.posted}


def say(view: dict[str, Any]) -> str:
    """Put that into words."""
    letter = view["letter"]
    what = "nothing" if letter is None else f"letter {letter:#04x}"
    return f"{what} in the mailbox, {view['posted']} posted"


COMMAND = Command("mailbox", "show what is in the mailbox", "read-only", look, say)


def in_service(snapshot: Snapshot, _size: Size) -> Sequence[Row]:
    """Return a row for each vCPU."""
    rows: list[Row] = []
    for vcpu in snapshot.vcpus:
        apic = vcpu.apic
        vectors = " ".join(f"{vector:#04x}" for vector in apic.isr) or "none"
        rows.append(
            [
                (str(vcpu.id), "label"),
                (f"{apic.ppr:#04x}", ""),
                (vectors, "changed" if apic.isr else "dim"),
            ]
        )
    return rows


PANE = Pane("service", "in service", ("vCPU", "PPR", "vectors"), in_service)


def explain(raw: int) -> Explanation:
    """Explain what was read from port 0x5A0."""
    text = "the mailbox is empty" if raw == 0xFF else f"letter {raw & 0xFF:#04x}"
    return explained("mailbox", raw, text, (("letter", bits(7, 0), text),))


EXPLAINER = Explainer("mailbox", explain)


def letters(session: Session) -> int:
    """Count the letters; `lapis explore --until 'letters() == 2'`."""
    posted: int = state_of(session.machine, "mailbox").posted
    return posted


LETTERS = Function("letters", "letters that were posted in the mailbox", letters)
