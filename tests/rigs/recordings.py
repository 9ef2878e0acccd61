"""Recordings for tests: made by the command lines that a user would type."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.replaying import Verdict
    from lapis_sessions.session import Session

INJECTED = (
    "run 12000", "nmi 2", "run 9000", "break ipi_handler", "run", "step 5",
    "delete ipi_handler", "vcpu 2", "step 3", "vcpu 0", "run", "answer 0x1234",
    "run 100", "ipi fixed 0x31 --to 3 --from 1", "quantum 17", "run 50",
    "irq raise 4", "schedule lockstep", "run 40", "ipi init --to 2", "run",
)  # fmt: skip
"""What is done to four vCPUs of ap-bringup: it is answered, and interfered with."""


def record(
    path: Path,
    lines: tuple[str, ...] = INJECTED,
    guest: str = "ap-bringup",
    *,
    embed: bool = True,
    close: bool = True,
    **options: object,
) -> Session:
    """Do `lines` while recording to `path`; return the session at their end."""
    given = SessionOptions(guest, **({"cpus": 4, "memory": "4M"} | options))  # type: ignore[arg-type] # of the dict
    session = open_session(given, extensions())
    start_recording(session, str(path), embed=embed)
    for line in lines:
        outcome = session.execute(line)
        assert outcome.ok, (line, outcome.error)
    if close:
        session.close()
    return session


@cache
def extensions() -> Extensions:
    """Those of our plug-ins; they are the same for every session."""
    return discover().extensions


def verify(path: Path) -> Verdict:
    """Replay a file and compare all that is in it."""
    recording = reader.read(str(path))
    session = replaying.session_of(recording, extensions())
    return replaying.verify(session, recording)
