"""A recording as a session: its acts lie ahead, and are done again as one goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.explain.events import describe
from lapis_engine.replay.digest import Digester
from lapis_engine.replay.entries import DivergedError
from lapis_sessions.recording.format.chunks import RecordingError
from lapis_sessions.recording.play.rebuild import rebuild
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording
    from lapis_sessions.recording.format.schema import CheckpointRow, HashRow
    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a replay first came to something else."""

    branch: str
    acts: int
    """Acts done again before it was seen."""
    retired: int
    field: str
    """First field that differs, or `digest` where only a hash was recorded."""
    recorded: str
    replayed: str
    event: str
    """The last event before it, in words."""

    @property
    def text(self) -> str:
        """The divergence in words."""
        return (
            f"{self.branch} diverges after act {self.acts} (instruction "
            f"{self.retired}): {self.field} was {self.recorded} and is "
            f"{self.replayed}; the event before it is {self.event}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay of a whole recording came to."""

    acts: int
    retired: int
    hashes: int
    """Hashes that were compared and equal."""
    digest: str
    """Of the state at the end of the branch that was written last."""
    divergence: Divergence | None


def session_of(
    recording: Recording, extensions: Extensions, profile: str = ""
) -> Session:
    """Build the session that was recorded, standing at its beginning.

    Another `profile` may be named to see what it does with the same acts. Raises
    `RecordingError`, or what building a machine raises.
    """
    session = rebuild(recording.header, extensions, profile)
    timeline = session.timeline
    begin = timeline.spot.at
    for branch in recording.branches:
        timeline.adopt(branch.name, branch.parent, branch.entries(begin))
    return session


def verify(session: Session, recording: Recording) -> Verdict:
    """Do every branch again from its beginning and compare every hash on the way."""
    timeline, digester = session.timeline, Digester(session.machine)
    hashes = 0
    for branch in recording.branches:
        start = timeline.branches[branch.name].kept[0].spot
        timeline.go(start, branch.name)
        for row in _rows(branch):
            found = _replayed(session, branch, row.acts)
            found = found or _compared(session, branch, row, digester)
            if found is not None:
                return _verdict(session, recording, hashes, digester, found)
            hashes += 1
        found = _replayed(session, branch, len(branch.acts))
        if found is not None:
            return _verdict(session, recording, hashes, digester, found)
    return _verdict(session, recording, hashes, digester, None)


def _verdict(
    session: Session,
    recording: Recording,
    hashes: int,
    digester: Digester,
    divergence: Divergence | None,
) -> Verdict:
    retired = session.timeline.spot.at.retired
    return Verdict(recording.acts, retired, hashes, digester.digest(), divergence)


def _rows(branch: RecordedBranch) -> list[HashRow | CheckpointRow]:
    rows: list[HashRow | CheckpointRow] = [*branch.hashes, *branch.checkpoints]
    for row in rows:
        if not 0 <= row.acts <= len(branch.acts):
            raise RecordingError(
                f"a hash is of act {row.acts}; {branch.name} has {len(branch.acts)}"
            )
    return sorted(rows, key=lambda row: row.acts)


def _replayed(session: Session, branch: RecordedBranch, acts: int) -> Divergence | None:
    """Go on until so many acts are done; say where that came to something else."""
    timeline = session.timeline
    entries = timeline.branch.entries
    at = entries[acts - 1].end if acts else timeline.branch.kept[0].spot.at
    try:
        timeline.travel(Spot(acts, at))
    except DivergedError as error:
        was, now = error.wanted, error.came
        done = timeline.spot.done
        return Divergence(
            branch.name, done + 1, now.retired, "position", was.text, now.text,
            _last_event(session),
        )  # fmt: skip
    return None


def _compared(
    session: Session,
    branch: RecordedBranch,
    row: HashRow | CheckpointRow,
    digester: Digester,
) -> Divergence | None:
    digest = digester.digest()
    if digest == row.digest:
        return None
    recorded = getattr(row, "fields", {})
    name, was, now = first_difference(recorded, digester.fields())
    if not name:
        name, was, now = "digest", row.digest, digest
    retired = session.timeline.spot.at.retired
    event = _last_event(session)
    return Divergence(branch.name, row.acts, retired, name, was, now, event)


def first_difference(
    one: dict[str, str], other: dict[str, str]
) -> tuple[str, str, str]:
    """Return the first field that differs with both values; empty where none does."""
    if not one:
        return "", "", ""
    for name in [*one, *(name for name in other if name not in one)]:
        was, now = one.get(name, "(not there)"), other.get(name, "(not there)")
        if was != now:
            return name, was, now
    return "", "", ""


def _last_event(session: Session) -> str:
    last = session.machine.log.last(1)
    return f"{last[0].seq} {describe(last[0].event)}" if last else "none"
