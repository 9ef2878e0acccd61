"""The command that prints a pane of a plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.extensions import aligned
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import snapshot

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json

SIZE = 80, 24
"""Columns and rows of a pane that is printed."""


def pane(session: Session, bound: Bound) -> Json:
    """Return what a pane shows now, row by row."""
    panes = session.extensions.panes
    if not panes:
        raise CommandError("no plug-in has a pane")
    found = panes[bound.word("name")]
    rows = found.render(snapshot.take(session), SIZE)
    return {
        "name": found.name,
        "title": found.title,
        "rows": [
            [{"text": text, "role": role} for text, role in row]
            for row in aligned(found, rows)
        ],
    }


def _text(view: Json) -> str:
    rows = ("".join(cell["text"] for cell in row).rstrip() for row in view["rows"])
    return "\n".join([view["title"], *rows])


COMMANDS = (
    Command(
        "pane", "print a pane of a plug-in", "read-only", pane, _text,
        (Argument("name", "word", required=True, table="panes"),),
    ),
)  # fmt: skip
