"""A piece of a recording: what was done up to a point, to be looked at from another.

Nothing after a point can be computed without what went before it. So the acts before
the first point stay, and only what was noted there goes: hashes, annotations, and all
other branches. Where the piece begins there is an annotation, for `goto`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.replay.digest import Digester
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.edit.merge import merged
from lapis_sessions.recording.format.reader import RecordedBranch
from lapis_sessions.recording.format.schema import ActRow, Annotation, CheckpointRow
from lapis_sessions.recording.format.stored import StoredCheckpoint
from lapis_sessions.recording.play import place
from lapis_sessions.recording.play.player import Player
from lapis_sessions.text.visible import quoted, short
from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.format.schema import HashRow
    from lapis_sessions.recording.play.named import Named
    from lapis_sessions.recording.play.place import Place

BEGINS = "the piece begins here"


class Piece(NamedTuple):
    """Two points of a branch, as the user wrote them."""

    begin: str
    end: str


def piece(text: str) -> Piece:
    """Read A:B, where either may be left out; raise `RecordingError`."""
    begin, colon, end = text.partition(":")
    if not colon:
        raise RecordingError(
            f"{quoted(text)} is no piece: write A:B, each an instruction count, "
            f"#EVENT, actN, start or end"
        )
    return Piece(begin or "start", end or "end")


def cut(named: Named, wanted: Piece, extensions: Extensions) -> RecordedBranch:
    """Return the one branch of the piece; raise `RecordingError` or as replays."""
    for text in wanted:
        place.check(named.branch, text, "cut")
    player = Player(named, extensions)
    begin = place.go(player, wanted.begin)
    player = Player(named, extensions)
    end = place.go(player, wanted.end)
    if begin > end:
        raise RecordingError(
            f"cut {short(wanted.begin)}:{short(wanted.end)} ends before it begins: "
            f"instruction {end.at.retired} comes before {begin.at.retired}"
        )
    found = _up_to(named.branch, player, end)
    _keep_marks(found, named.branch, begin, end)
    digester = Digester(player.machine)
    state = digester.digest(), digester.fields()
    acts, retired = len(found.acts), end.at.retired
    row = CheckpointRow(acts, retired, *state)
    found.checkpoints.append(StoredCheckpoint.of(row))
    return merged(found)


def _up_to(branch: RecordedBranch, player: Player, end: Place) -> RecordedBranch:
    rows = branch.acts[: end.done]
    before = player.entries[end.done - 1].end if end.done else None
    begin = before or (player.entries[0].start if player.entries else end.at)
    if end.at != begin:
        act = branch.acts[end.done]
        rows.append(ActRow(act.verb, act.args, *end.at, "budget"))
    return RecordedBranch(FIRST, "", rows)


def _keep_marks(
    found: RecordedBranch, branch: RecordedBranch, begin: Place, end: Place
) -> None:
    """Take over what is noted between the two points."""

    def is_within(row: HashRow | StoredCheckpoint | Annotation) -> bool:
        after = (begin.done, begin.at.retired) <= (row.acts, row.retired)
        return after and (row.acts, row.retired) <= (end.done, end.at.retired)

    found.hashes = list(filter(is_within, branch.hashes))
    found.checkpoints = list(filter(is_within, branch.checkpoints))
    found.notes = list(filter(is_within, branch.notes))
    if begin.done or begin.at.retired:
        note = Annotation(begin.done, begin.at.retired, BEGINS)
        found.notes.insert(0, note)
