"""A recording as a session: its acts lie ahead, and are done again as one goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_engine.explain.events import describe
from lapis_engine.profiles.recorded import changes
from lapis_engine.replay.digest import AT_RESET, Digester, telling
from lapis_engine.replay.entries import DivergedError
from lapis_engine.replay.schema import ENGINE, STATE_SCHEMA, repairs_since
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format.schema import HashRow
from lapis_sessions.recording.play.rebuild import rebuild
from lapis_sessions.text.visible import quoted, short
from lapis_sessions.timeline.branches import Note, Spot

if TYPE_CHECKING:
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording
    from lapis_sessions.recording.format.stored import StoredCheckpoint
    from lapis_sessions.session import Session

    Mark = HashRow | StoredCheckpoint


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
    repairs: tuple[str, ...] = ()
    """What was repaired in the engine since, oldest first: one of them may be why."""

    @property
    def text(self) -> str:
        """The divergence in words."""
        return (
            f"{short(self.branch)} diverges after act {self.acts} (instruction "
            f"{self.retired}): {short(self.field)} was {short(self.recorded)} and is "
            f"{short(self.replayed)}; the event before it is {self.event}{self._why}"
        )

    @property
    def _why(self) -> str:
        if not self.repairs:
            return ""
        listed = ", ".join(self.repairs)
        return f"; repaired in the engine since it was recorded: {listed}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay of a whole recording came to."""

    acts: int
    retired: int
    hashes: int
    """Hashes that were compared and equal."""
    stops: int
    """Acts that ended where they did then."""
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
    if recording.header.engine != ENGINE:
        session.recorded_by = recording.header.engine
    timeline = session.timeline
    begin = timeline.spot.at
    if not profile:
        session.notices += _profile_notices(session, extensions)
    for branch in recording.branches:
        notes = [Note(n.acts, n.retired, n.text, n.ask, n.answer) for n in branch.notes]
        timeline.adopt(branch.name, branch.parent, branch.entries(begin), notes)
    return session


def _profile_notices(session: Session, extensions: Extensions) -> list[str]:
    """Say in what the profile of that name is another today."""
    was = session.machine.config.profile
    now = extensions.profiles.get(was.name)
    if now is None:
        return [
            f"profile {quoted(was.name)} is not known here; it is what was recorded"
        ]
    return [
        f"profile {short(was.name)} has changed since: {change.text}; it is what was "
        f"recorded"
        for change in changes(was, now)
    ]


def verify(session: Session, recording: Recording) -> Verdict:
    """Do every branch again from its beginning and compare what can be compared.

    That is where each act ends, and every hash on the way if it is over what ours are.
    """
    head = recording.header
    timeline, digester = session.timeline, Digester(session.machine)
    is_comparable = head.state_schema == STATE_SCHEMA
    hashes = stops = 0
    found: Divergence | None = None
    for branch in recording.branches:
        start = timeline.branches[branch.name].kept[0].spot
        timeline.go(start, branch.name)
        for row in _rows(branch) if is_comparable else ():
            found = _replayed(session, branch, row.acts)
            found = found or _compared(session, branch, row, digester)
            if found is not None:
                break
            hashes += 1
        found = found or _replayed(session, branch, len(branch.acts))
        stops += timeline.spot.done if found is not None else len(branch.acts)
        if found is not None:
            found = replace(found, repairs=tuple(repairs_since(head.engine)))
            break
    retired = timeline.spot.at.retired
    return Verdict(recording.acts, retired, hashes, stops, digester.digest(), found)


def _rows(branch: RecordedBranch) -> list[Mark]:
    rows: list[Mark] = [*branch.hashes, *branch.checkpoints]
    acts = branch.acts
    for row in rows:
        if not 0 <= row.acts <= len(acts):
            raise RecordingError(
                f"a hash is of act {row.acts}; {short(branch.name)} has {len(acts)}"
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
    row: Mark,
    digester: Digester,
) -> Divergence | None:
    """Say in what the state differs: in its hash, or in fields that do not fit it."""
    digest = digester.digest()
    retired = session.timeline.spot.at.retired
    if row.retired != retired:
        return _apart(session, branch, row, "retired", str(row.retired), str(retired))
    recorded = {} if isinstance(row, HashRow) else row.fields
    if digest == row.digest and not recorded:
        return None
    name, was, now = first_difference(recorded, digester.fields())
    if not name and digest == row.digest:
        return None
    if not name:
        name, was, now = "digest", row.digest, digest
    return _apart(session, branch, row, name, was, now)


def _apart(
    session: Session, branch: RecordedBranch, row: Mark, name: str, was: str, now: str
) -> Divergence:
    retired = session.timeline.spot.at.retired
    event = _last_event(session)
    return Divergence(branch.name, row.acts, retired, name, was, now, event)


def first_difference(
    one: dict[str, str], other: dict[str, str]
) -> tuple[str, str, str]:
    """Return the first field that differs with both values; empty where none does."""
    if not one:
        return "", "", ""
    differing = [n for n in one.keys() | other.keys() if one.get(n) != other.get(n)]
    if not differing:
        return "", "", ""
    name = min(differing, key=telling)
    return name, one.get(name, AT_RESET), other.get(name, AT_RESET)


def _last_event(session: Session) -> str:
    last = session.machine.log.last(1)
    return f"{last[0].seq} {describe(last[0].event)}" if last else "none"
