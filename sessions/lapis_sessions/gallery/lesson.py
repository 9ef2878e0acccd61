"""What a scenario knows of the questions in its recordings, for whoever replays one.

A recording has a question and its answer. The other answers that are as right, and why,
are in the scenario's file alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lapis_sessions.gallery import catalog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_sessions.gallery.catalog import Point, Scenario, Tape
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.branches import Note


def of_file(name: str, known: Mapping[str, Path]) -> tuple[Scenario, Tape] | None:
    """Return the scenario that a file is a recording of, and which one; else None.

    `known` are the scenarios' files by name. Raises `ScenarioError`.
    """
    path = Path(name)
    for scenario_name, file in known.items():
        is_near = path.name.startswith(f"{scenario_name}-")
        if not is_near or path.resolve().parent != file.resolve().parent:
            continue
        scenario = catalog.read(file)
        for tape in scenario.tapes:
            if scenario.path(tape).name == path.name:
                return scenario, tape
    return None


def teach(session: Session, tape: Tape) -> None:
    """Give the notes of a replayed recording what its scenario knows beside them."""
    for branch in session.timeline.branches.values():
        points = [point for point in tape.points if point.branch == branch.name]
        branch.notes = tuple(_taught(note, points) for note in branch.notes)


def _taught(note: Note, points: Sequence[Point]) -> Note:
    for point in points:
        if (point.text, point.ask, point.answer) == (note.text, note.ask, note.answer):
            return note._replace(accept=tuple(point.accept), because=point.because)
    return note  # the file is of another time than the text
