"""What was done on a branch, act by act, its notes, and what is known to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lapis_engine.replay.digest import Digester
from lapis_sessions.views.history import act

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.history import HistoryAct

LISTED = 200
"""Acts that are listed unless it is said how many."""


@dataclass(frozen=True, slots=True)
class DoneActView:
    """One act of a branch."""

    act: int
    """Its number on the branch, from 1."""
    verb: str
    text: str
    begin: int
    """Instructions at its beginning and its end; so events and ns."""
    end: int
    begin_event: int
    end_event: int
    begin_now: int
    end_now: int
    stop: str
    """Why a run or a step came back, or nothing."""
    done: bool


@dataclass(frozen=True, slots=True)
class BranchActsView:
    """Acts around a point."""

    branch: str
    done: int
    """Acts that are over here."""
    total: int
    at_end: bool
    acts: tuple[DoneActView, ...]


@dataclass(frozen=True, slots=True)
class BranchNoteView:
    """A text at a point of a branch."""

    after: int
    """Acts that are over there."""
    retired: int
    text: str
    ask: str
    """A question for who comes there, or nothing."""
    passed: bool
    answer: str | UnsetType = UNSET
    """Only if that was asked for."""


@dataclass(frozen=True, slots=True)
class NotesView:
    """The notes of a branch."""

    branch: str
    notes: tuple[BranchNoteView, ...]


@dataclass(frozen=True, slots=True)
class LearnedView:
    """What is known to come."""

    known: int
    """Events ahead that are known."""
    ahead: int
    """Events ahead in all."""
    gone: bool
    """Whether they were gone through now: a longer branch is not."""


def acts(session: Session, count: int) -> BranchActsView:
    """Return `count` acts of the branch, most of them before the present point."""
    timeline = session.timeline
    branch = timeline.branch
    over, total = branch.over(timeline.spot), branch.given_up + len(branch.entries)
    here = over - branch.given_up
    last = min(max(here + count // 4, count), len(branch.entries))
    first = max(last - count, 0)
    rows = (act(branch, index, over) for index in range(first, last))
    views = tuple(map(_act_view, rows))
    return BranchActsView(branch.name, over, total, timeline.at_end, views)


def _act_view(row: HistoryAct) -> DoneActView:
    begin, end = row.begin, row.end
    return DoneActView(
        row.number, row.verb, row.text, begin.retired, end.retired, begin.seq, end.seq,
        begin.now, end.now, row.reason, row.done,
    )  # fmt: skip


def notes(session: Session, *, answers: bool) -> NotesView:
    """Return the notes of the branch."""
    timeline = session.timeline
    branch, spot = timeline.branch, timeline.spot
    here = branch.over(spot), spot.at.retired
    rows = [
        BranchNoteView(
            each.acts, each.retired, each.text, each.ask, each[:2] <= here,
            each.answer if answers and each.ask else UNSET,
        )
        for each in branch.notes
    ]  # fmt: skip
    return NotesView(branch.name, tuple(rows))


def learned(session: Session, *, gone: bool) -> LearnedView:
    """Return how much is known to come."""
    timeline = session.timeline
    ahead = timeline.branch.end.at.seq - timeline.spot.at.seq
    return LearnedView(len(timeline.ahead()), ahead, gone)


def acts_text(view: BranchActsView) -> str:
    """Return the acts, with a mark at the one that comes next."""
    out = []
    for row in view.acts:
        mark = ">" if row.act == view.done + 1 else " "
        stop = f"  ({row.stop})" if row.stop not in {"", "budget"} else ""
        out.append(f"{mark}{row.act:>6}  {row.begin:>13,}  {row.text}{stop}")
    where = f"{view.done:,} of {view.total:,} acts of {view.branch} are done"
    return "\n".join([*out, where])


def notes_text(view: NotesView) -> str:
    """Return the notes, one after the other."""
    out = []
    for row in view.notes:
        mark = " " if row.passed else "-"
        out.append(f"{mark} act {row.after:<4} {row.retired:>13,}  {row.text}")
        out += [f"    ? {row.ask}"] * bool(row.ask)
        out += [f"    = {row.answer}"] * (row.answer is not UNSET)
    return "\n".join(out) or f"{view.branch} has no notes"


def learned_text(view: LearnedView) -> str:
    """Say how much is known to come."""
    if not view.gone:
        return "this branch is longer than that: it is known as it is gone along"
    return f"{view.known:,} of {view.ahead:,} events ahead are known"


@dataclass(frozen=True, slots=True)
class DigestView:
    """A hash over the whole state of the machine at a point."""

    digest: str
    branch: str
    retired: int


def digest(session: Session) -> DigestView:
    """Hash the state of the machine, as what verifies a recording does."""
    timeline = session.timeline
    return DigestView(
        Digester(session.machine).digest(),
        timeline.branch.name,
        timeline.spot.at.retired,
    )


def digest_text(view: DigestView) -> str:
    """Return the hash behind the point."""
    return f"{view.branch} at instruction {view.retired:,}; digest {view.digest}"
