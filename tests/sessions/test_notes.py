"""Notes: where they are, whether they were passed, and `goto note` going there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs import recordings

from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_sessions.views import history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

PLACES = [0, 4_000, 4_000, 20_000]
"""Instructions at the notes: the second lies within a run, the third after an act."""


@pytest.fixture(params=["live", "read again"])
def noted(
    request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Session]
) -> Session:
    """Return a session with four notes, as it was made or as its file has it."""
    session, path = opened(cpus=2), tmp_path / "noted.lapis"
    start_recording(session, str(path))
    for line in (
        "annotate first", "run 4000", "annotate second", "quantum 7", "annotate third",
        "quantum 7", "run 6000", "run 10000", "annotate fourth", "run 3000",
    ):  # fmt: skip
        outcome = session.execute(line)
        assert outcome.ok, (line, outcome.text)
    session.close()
    if request.param == "live":
        return session
    return replaying.session_of(reader.read(str(path)), recordings.extensions())


def test_goto_note_is_where_it_was_written(noted: Session) -> None:
    for number, retired in enumerate(PLACES, 1):
        outcome = noted.execute(f"goto note {number}")
        assert outcome.ok, outcome.text
        assert noted.timeline.spot.at.retired == retired
        there = history.take(noted)
        passed = [there.passed(note) for note in there.notes]
        assert passed == [n < number for n in range(len(PLACES))], number


def test_a_note_is_passed_once_the_machine_is_beyond_it(noted: Session) -> None:
    for retired, count in ((1, 1), (3_999, 1), (4_001, 3), (19_999, 3), (20_001, 4)):
        assert noted.execute(f"goto {retired}").ok
        there = history.take(noted)
        assert sum(map(there.passed, there.notes)) == count, retired


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("goto note", "goto note needs a NUMBER"), ("goto note 0", "main has 4 notes"),
        ("goto note 5", "goto note 5: main has 4 notes"),
        ("goto 5 5", "a number comes after `act` or `note`"),
    ],
)  # fmt: skip
def test_a_note_that_is_not_there_is_refused(
    noted: Session, line: str, why: str
) -> None:
    spot = noted.timeline.spot
    outcome = noted.execute(line)
    assert not outcome.ok
    assert why in outcome.text
    assert noted.timeline.spot == spot
