"""Where a replay came to something else than what was recorded, and what may be why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.replay.schema import ENGINE, repairs_since

if TYPE_CHECKING:
    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class DivergedView:
    """The last divergence of a session."""

    act: str | None
    """What was done again, in words; None where nothing diverged."""
    wanted: str | None
    """Where it ended when it was recorded: instructions, events and time."""
    came: str | None
    """Where it ended now."""
    engine: int | None
    """Number of the engine's behaviours that it was recorded with; None is today's."""
    repairs: tuple[str, ...]
    """What was repaired in the engine since, oldest first: one of them may be why."""
    done: int
    """Acts of the present branch that have been done."""
    known: int
    """That there are."""


def of(session: Session) -> DivergedView:
    """Return what is known of the last divergence."""
    timeline, met, engine = session.timeline, session.divergence, session.recorded_by
    return DivergedView(
        act=None if met is None else met.act.text,
        wanted=None if met is None else met.wanted.text,
        came=None if met is None else met.came.text,
        engine=engine,
        repairs=() if engine is None else tuple(repairs_since(engine)),
        done=timeline.spot.done,
        known=len(timeline.branch.entries),
    )


def text(view: DivergedView) -> str:
    """Say where it was, and what may be the cause."""
    if view.act is None:
        head = f"nothing has diverged: {view.done} of {view.known} acts are done"
        return f"{head}; session verify compares the hashes of a recording"
    head = f"what was recorded did not come about in {view.act}"
    out = [f"{head}: it ended at {view.came} and not at {view.wanted}"]
    if view.engine is None:
        out.append(
            "  it was made by this engine: what differs is a fault of Lapis, or of the "
            "machine underneath"
        )
    elif not view.repairs:
        out.append(f"  no behaviour was repaired since engine {view.engine}")
    else:
        out.append(f"  repaired since engine {view.engine}, today's is {ENGINE}:")
        out += [f"  - {each}" for each in view.repairs]
    return "\n".join(out)
