"""Making the recordings of a scenario from the commands in its file.

What is made depends on the commands alone and not on how fast they were done: hashes
that a `Writer` adds by the clock are taken out again, those of the points remain.
"""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lapis_sessions import files
from lapis_sessions.gallery.catalog import ScenarioError
from lapis_sessions.opening import open_session
from lapis_sessions.recording.edit.compose import compose
from lapis_sessions.recording.edit.merge import merged
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.schema import HashRow
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.gallery.catalog import Point, Scenario, Tape
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording
    from lapis_sessions.session import Session


def make(scenario: Scenario, extensions: Extensions, folder: Path) -> list[Path]:
    """Make every recording of a scenario in `folder`, in place of what is there.

    Raises `ScenarioError` for a command that fails, and what opening a session raises.
    """
    made = []
    for tape in scenario.tapes:
        path = scenario.path(tape, folder)
        recording = _recorded(scenario, tape, extensions)
        branches = [_plain(branch) for branch in recording.branches]
        pieces = compose(recording.header, branches, recording.last.name)
        files.write(str(path), pieces, force=True)
        made.append(path)
    return made


def _recorded(scenario: Scenario, tape: Tape, extensions: Extensions) -> Recording:
    session = open_session(tape.options, extensions)
    # Files that commands write and read go there, and their names into the recording.
    with TemporaryDirectory() as folder, chdir(folder):
        writer = start_recording(session, "made.lapis")
        try:
            for point in tape.points:
                _do(session, scenario, point)
                writer.annotate(point.text, point.ask, point.answer)
                writer.checkpoint()
        finally:
            session.close()
        return reader.read("made.lapis")


def _do(session: Session, scenario: Scenario, point: Point) -> None:
    for command in point.do:
        outcome = session.execute(command)
        if not outcome.ok:
            raise ScenarioError(f"{scenario.name}: {command!r}: {outcome.error}")
    here = session.timeline.branch.name
    if here != point.branch:
        raise ScenarioError(
            f"{scenario.name}: the point {point.text[:40]!r} is said to be of branch "
            f"{point.branch!r} and is of {here!r}"
        )


def _plain(branch: RecordedBranch) -> RecordedBranch:
    """Keep a hash at each annotation, every field at the last, and no other."""
    at = {note.acts for note in branch.notes}
    known = {row.acts: row for row in branch.checkpoints if row.acts in at}
    rows = [known[acts] for acts in sorted(known)]
    hashes = [HashRow(row.acts, row.retired, row.digest) for row in rows[:-1]]
    return merged(replace(branch, hashes=hashes, checkpoints=rows[-1:]))
