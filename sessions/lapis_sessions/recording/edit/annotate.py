"""Adding a text to a recording that is there."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format.schema import Annotation
from lapis_sessions.recording.play import place
from lapis_sessions.text import numerals, utf8
from lapis_sessions.text.visible import short

if TYPE_CHECKING:
    from lapis_sessions.recording.format.reader import RecordedBranch
    from lapis_sessions.recording.play.named import Named


def annotated(named: Named, at: str, note: Annotation) -> list[RecordedBranch]:
    """Return the branches, with the text and question of `note` at COUNT or actN.

    At a count where an act ends it comes after the first that does. Raises
    `RecordingError` or `CommandError`.
    """
    for text in (note.text, note.ask, note.answer):
        utf8.check(text, "annotate:")
    branch = named.branch
    place.check(branch, at, "annotate")
    acts, retired = _spot(branch, at)
    new = Annotation(acts, retired, note.text, note.ask, note.answer)
    notes = sorted([*branch.notes, new], key=lambda row: (row.acts, row.retired))
    changed = replace(branch, notes=notes)
    return [changed if each is branch else each for each in named.recording.branches]


def _spot(branch: RecordedBranch, at: str) -> tuple[int, int]:
    """Return (acts over, instructions retired)."""
    rows = branch.acts
    if at == "end":
        return len(rows), rows[-1].retired if rows else 0
    if at.startswith(place.ACT):
        acts = numerals.number(at.removeprefix(place.ACT), "annotate: act")
        return acts, rows[acts - 1].retired if acts else 0
    if at.startswith("#"):
        raise RecordingError(
            f"annotate {short(at)}: an annotation is at an instruction count or actN"
        )
    retired = 0 if at == "start" else numerals.number(at, "annotate: instruction")
    if not retired:
        return 0, 0
    acts = bisect_left(rows, retired, key=lambda row: row.retired)
    return acts + (rows[acts].retired == retired), retired
