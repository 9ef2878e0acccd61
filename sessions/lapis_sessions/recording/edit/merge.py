"""Joining what a recording holds in pieces: a run that was written slice by slice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from lapis_engine.replay.entries import TIME_MOVING
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format.reader import RecordedBranch
from lapis_sessions.text.visible import short

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lapis_sessions.recording.format.schema import ActRow


class Numbered(NamedTuple):
    """An act, and the number that its first piece has in the file, counted from 1."""

    number: int
    row: ActRow


def joined(rows: Sequence[ActRow], apart: Collection[int] = ()) -> list[Numbered]:
    """Return `rows` with every run and step in one piece.

    Two pieces stay two where `apart` holds the number of rows up to the first of them.
    """
    found: list[Numbered] = []
    for index, row in enumerate(rows):
        if found and index not in apart and _goes_on(found[-1].row, row):
            found[-1] = Numbered(found[-1].number, row)
        else:
            found.append(Numbered(index + 1, row))
    return found


def _goes_on(last: ActRow, row: ActRow) -> bool:
    alike = last.verb == row.verb and last.args == row.args
    return alike and row.verb in TIME_MOVING and last.reason == "budget"


def merged(branch: RecordedBranch) -> RecordedBranch:
    """Return a branch with its acts joined; where something is noted they stay apart.

    Raises `RecordingError` for a note where there is no act.
    """
    marks = {row.acts for row in branch.hashes}
    marks |= {row.acts for row in branch.checkpoints}
    marks |= {row.acts for row in branch.notes}
    for mark in marks:
        if not 0 <= mark <= len(branch.acts):
            raise RecordingError(
                f"something is noted after act {mark}; {short(branch.name)} has "
                f"{len(branch.acts)}"
            )
    acts = joined(branch.acts, marks)
    begins = [act.number - 1 for act in acts]
    new = {old: index for index, old in enumerate(begins)} | {
        len(branch.acts): len(acts)
    }

    return RecordedBranch(
        branch.name,
        branch.parent,
        [act.row for act in acts],
        [structs.replace(row, acts=new[row.acts]) for row in branch.hashes],
        [replace(row, acts=new[row.acts]) for row in branch.checkpoints],
        [structs.replace(row, acts=new[row.acts]) for row in branch.notes],
    )
