"""Beginning to record a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.recording.format.writer import Writer

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def start_recording(
    session: Session, path: str, *, force: bool = False, embed: bool = True
) -> Writer:
    """Record a session from its beginning on; raise `RecordingError`."""
    writer = session.writer = Writer(
        session.origin,
        session.timeline,
        path,
        session.notices.append,
        force=force,
        embed=embed,
    )
    return writer
