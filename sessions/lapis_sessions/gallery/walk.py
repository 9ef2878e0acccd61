"""Leading through a scenario: from point to point of its recordings, as a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.errors import CommandError
from lapis_sessions.gallery.catalog import ScenarioError
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.text import numerals
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.gallery.catalog import Point, Scenario, Tape
    from lapis_sessions.plain import Data
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording
    from lapis_sessions.session import Outcome, Session
    from lapis_sessions.timeline.branches import Note

REBUILD = "python tests/sessions/build_gallery.py"
"""What makes the recordings anew."""


class Visit(NamedTuple):
    """A session that stands at a point."""

    tape: Tape
    point: Point
    session: Session

    def shown(self) -> list[Outcome]:
        """Do the commands whose results belong to the point."""
        return [self.session.execute(line) for line in self.point.show]


def opened(scenario: Scenario, tape: Tape, folder: Path | None = None) -> Recording:
    """Read a recording, and see that it was made for this scenario.

    Raises `RecordingError`, or `ScenarioError` when the text is of another time.
    """
    path = scenario.path(tape, folder)
    if not path.exists():
        raise ScenarioError(f"{scenario.name}: {path.name} is missing: {REBUILD}")
    recording = reader.read(str(path))
    branches = {branch.name: branch for branch in recording.branches}
    noted = {name: [n.text for n in each.notes] for name, each in branches.items()}
    wanted: dict[str, list[str]] = {name: [] for name in branches}
    for point in tape.points:
        wanted.setdefault(point.branch, []).append(point.text)
    if noted != wanted:
        raise ScenarioError(
            f"{scenario.name}: {path.name} was made from another text: {REBUILD}"
        )
    return recording


def tour(
    scenario: Scenario, tape: Tape, extensions: Extensions, folder: Path | None = None
) -> Iterator[Visit]:
    """Stand at each point in turn; raises as `opened`, or `DivergedError`."""
    recording = opened(scenario, tape, folder)
    session = replaying.session_of(recording, extensions)
    branches = {branch.name: branch for branch in recording.branches}
    seen = dict.fromkeys(branches, 0)
    for point in tape.points:
        branch = branches[point.branch]
        session.timeline.go(_spot(session, branch, seen[point.branch]), point.branch)
        seen[point.branch] += 1
        yield Visit(tape, point, session)


def _spot(session: Session, branch: RecordedBranch, number: int) -> Spot:
    """Return where annotation `number` of a branch was written."""
    acts = branch.notes[number].acts
    known = session.timeline.branches[branch.name]
    if not acts:
        return known.kept[0].spot
    return Spot(acts, known.entries[acts - 1].end)


def is_right(point: Point | Note, given: str) -> bool:
    """Tell whether an answer is the one: as words, or as the same number."""
    return any(same(given, answer) for answer in (point.answer, *point.accept))


def same(given: str, answer: str) -> bool:
    """Tell whether two answers are the same words, or the same number."""
    if _words(given) == _words(answer):
        return True
    try:
        numbers = [numerals.number(text.strip(), "") for text in (given, answer)]
    except CommandError:
        return False
    return numbers[0] == numbers[1]


def _words(text: str) -> list[str]:
    return text.casefold().replace(",", " ").strip(" .!").split()


def listed(scenario: Scenario) -> Data:
    """Describe a scenario as plain data that JSON can hold."""
    return {
        "name": scenario.name,
        "title": scenario.title,
        "summary": scenario.summary,
        "source": scenario.source,
        "questions": scenario.questions,
        "recordings": [
            {
                "name": tape.name,
                "about": tape.about,
                "file": str(scenario.path(tape)),
                "guest": tape.guest,
                "cpus": tape.cpus,
                "profile": tape.profile,
                "points": len(tape.points),
            }
            for tape in scenario.tapes
        ],
    }


def told(visit: Visit, number: int) -> Data:
    """Describe a point, and what its commands show, as plain data."""
    point, at = visit.point, visit.session.timeline.spot.at
    return {
        "recording": visit.tape.name,
        "point": number,
        "branch": point.branch,
        "retired": at.retired,
        "event": at.seq,
        "text": point.text.strip(),
        "shown": [outcome.to_dict() for outcome in visit.shown()],
    }
