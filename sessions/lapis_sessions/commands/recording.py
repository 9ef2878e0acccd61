"""Commands that record the session to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.recording import view
from lapis_sessions.recording.start import start_recording
from lapis_sessions.recording.view import NoteView, StatusView
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import utf8

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def start(session: Session, bound: Bound) -> StatusView:
    """Begin to record, with everything that was done so far."""
    if session.writer is not None:
        raise CommandError(f"record start: {session.writer.path} is being recorded")
    start_recording(
        session,
        bound.word("file"),
        force="force" in bound,
        embed="by-reference" not in bound,
    )
    return status(session, bound)


def stop(session: Session, _bound: Bound) -> StatusView:
    """Close the recording."""
    if session.writer is None:
        raise CommandError("record stop: nothing is being recorded")
    writer = session.writer
    path, failed = str(writer.path), writer.failed
    session.close()
    return StatusView(recording=False, file=path, acts=writer.acts, failed=failed)


def status(session: Session, _bound: Bound) -> StatusView:
    """Say what is being recorded."""
    writer = session.writer
    if writer is None:
        return StatusView(recording=False, file=None, acts=0, failed="")
    return StatusView(
        recording=not writer.failed,
        file=str(writer.path),
        acts=writer.acts,
        failed=writer.failed,
    )


def annotate(session: Session, bound: Bound) -> NoteView:
    """Put a text into the recording at this point."""
    if session.writer is None:
        raise CommandError("annotate: nothing is being recorded; try record start FILE")
    if not session.timeline.at_end:
        raise CommandError("annotate: only at the end of what was done; try goto end")
    text = bound.word("text")
    ask, answer = bound.word("ask"), bound.word("answer")
    for each in (text, ask, answer):
        utf8.check(each, "annotate:")
    session.writer.annotate(text, ask, answer)
    session.timeline.annotate(text, ask, answer)
    return NoteView(session.timeline.spot.at.retired, text)


COMMANDS = (
    Command(
        "record start",
        "record to FILE from here on, together with all that was done so far",
        "mutating", start, view.status_text,
        (
            Argument("file", "word", required=True),
            Argument("force", "flag", option=True),
            Argument("by-reference", "flag", option=True),
        ),
    ),
    Command(
        "record stop", "close the recording", "mutating", stop, view.status_text,
    ),
    Command(
        "record", "say what is being recorded", "read-only",
        status, view.status_text,
    ),
    Command(
        "annotate", "put TEXT into the recording here, with a question for readers",
        "mutating", annotate, view.note_text,
        (
            Argument("text", "word", required=True),
            Argument("ask", "word", option=True),
            Argument("answer", "word", option=True),
        ),
    ),
)  # fmt: skip
