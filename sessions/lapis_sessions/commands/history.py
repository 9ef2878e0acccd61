"""Commands about what was done: its acts, its notes, what is known to come, forks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import NAME
from lapis_sessions.timeline import learning
from lapis_sessions.views import acts as views
from lapis_sessions.views import timeline as places

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.acts import (
        BranchActsView,
        DigestView,
        LearnedView,
        NotesView,
    )
    from lapis_sessions.views.timeline import PlaceView

MOST_ACTS = 10_000


def acts(session: Session, bound: Bound) -> BranchActsView:
    """List acts of the branch around this point."""
    count = bound.number("count", views.LISTED)
    if not 1 <= count <= MOST_ACTS:
        raise CommandError(f"acts {count}: 1 to {MOST_ACTS}")
    return views.acts(session, count)


def notes(session: Session, bound: Bound) -> NotesView:
    """List the notes of the branch."""
    return views.notes(session, answers="answers" in bound)


def fork(session: Session, bound: Bound) -> PlaceView:
    """Begin a branch here."""
    name = bound.word("name")
    utf8.check(name, "fork:")
    if "name" in bound and not 0 < len(name) <= NAME:
        raise CommandError(f"fork: a name has 1 to {NAME} letters, not {len(name)}")
    session.timeline.fork(name)
    return places.place(session)


def digest(session: Session, _bound: Bound) -> DigestView:
    """Hash the state of the machine."""
    return views.digest(session)


def learn(session: Session, bound: Bound) -> LearnedView:
    """Get to know the events that lie ahead."""
    if not learning.is_short(session.timeline, bound.number("count", learning.SHORT)):
        return views.learned(session, gone=False)
    learning.learn(session.timeline)
    return views.learned(session, gone=True)


COMMANDS = (
    Command(
        "fork", "go on from here on a new branch; a recording is read only before that",
        "mutating", fork, places.place_text, (Argument("name", "word"),),
    ),
    Command(
        "acts",
        "list what was done on this branch, COUNT acts around this point; > is the one "
        "that comes next",
        "read-only", acts, views.acts_text, (Argument("count", "count"),),
    ),
    Command(
        "notes", "list the notes and questions of this branch", "read-only",
        notes, views.notes_text, (Argument("answers", "flag", option=True),),
    ),
    Command(
        "digest",
        "hash the whole state of the machine, as lapis replay --verify does at the end",
        "read-only", digest, views.digest_text,
    ),
    Command(
        "events learn",
        "go along what is ahead once and back, so that its events are known; nothing "
        "is done on a branch of more than COUNT instructions",
        "time-moving", learn, views.learned_text, (Argument("count", "count"),),
    ),
)  # fmt: skip
