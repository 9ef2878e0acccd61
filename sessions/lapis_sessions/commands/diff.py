"""The command that compares a branch, or a named point, with where the machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.recording.compare import branch_view, branches
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_sessions.recording.compare.branch_view import ApartView
    from lapis_sessions.session import Session


def diff(session: Session, bound: Bound) -> ApartView:
    """Compare another point with this one, and stay here."""
    there = branches.point(session.timeline, bound.word("where"))
    return branch_view.apart(branches.compare(session.timeline, there))


COMMANDS = (
    Command(
        "diff",
        "compare the end of a branch, or a named point, with here: the acts with which "
        "they part, the first event that differs, and the states",
        "time-moving", diff, branch_view.text,
        (Argument("where", "word", required=True),),
    ),
)  # fmt: skip
