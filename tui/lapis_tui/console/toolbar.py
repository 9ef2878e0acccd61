"""The bar below the prompt: where the session stands, and what the line comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.text.visible import visible
from lapis_sessions.views import hint, standing
from lapis_tui.console import own

if TYPE_CHECKING:
    from lapis_sessions.session import Session

Parts = list[tuple[str, str]]
"""Of prompt-toolkit: style and text."""


def parts(session: Session, line: str, editing: str, columns: int) -> Parts:
    """Return both rows, the first only where there is something to say of `line`."""
    told = hinted(session, line)
    rows: Parts = []
    if told:
        rows = [("class:hint", visible(told)[: columns - 1].ljust(columns)), ("", "\n")]
    return rows + stands(standing.of(session), editing)


def hinted(session: Session, line: str) -> str | None:
    """Return what is to be said of a line."""
    if not line.strip():
        return None
    if own.knows(line):
        command = own.OWN.named(line.split(maxsplit=1)[0])
        return f"{command.usage} - {command.help}"
    return hint.of(session, line)


def stands(view: standing.Standing, editing: str) -> Parts:
    """Return the row that tells where a session stands."""
    texts = [
        ("class:state", f" {view.state} "),
        ("", f" vCPU {view.vcpu} {view.mode} CPL {view.cpl} "),
        ("class:history", f" {visible(standing.history_text(view))} "),
    ]
    if view.pending:
        texts.append(("class:pending", f" {view.pending} pending "))
    if editing != "emacs":
        texts.append(("", f" {editing} "))
    texts.append(("", f" {visible(view.place)} "))
    if view.recording is not None:
        texts.append(("class:rec", f" REC {visible(view.recording)} "))
    return texts
