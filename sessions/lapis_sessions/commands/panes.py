"""The command that prints a pane of a plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.extensions import aligned
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import panes as panes_view
from lapis_sessions.views import snapshot
from lapis_sessions.views.panes import CellView, PaneView

if TYPE_CHECKING:
    from lapis_sessions.session import Session

SIZE = 80, 24
"""Columns and rows of a pane that is printed."""


def pane(session: Session, bound: Bound) -> PaneView:
    """Return what a pane shows now, row by row."""
    panes = session.extensions.panes
    if not panes:
        raise CommandError("no plug-in has a pane")
    found = panes[bound.word("name")]
    rows = found.render(snapshot.take(session), SIZE)
    cells = (
        tuple(CellView(text, role) for text, role in row)
        for row in aligned(found, rows)
    )
    return PaneView(found.name, found.title, tuple(cells))


COMMANDS = (
    Command(
        "pane", "print a pane of a plug-in", "read-only", pane, panes_view.text,
        (Argument("name", "word", required=True, table="panes"),),
    ),
)  # fmt: skip
