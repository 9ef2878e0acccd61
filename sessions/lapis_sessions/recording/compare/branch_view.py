"""The command `diff`: what differs between here and another branch or point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.recording.compare import view as diff_view
from lapis_sessions.text.visible import visible
from lapis_sessions.views import history

if TYPE_CHECKING:
    from lapis_sessions.recording.compare.branches import Apart, BranchPoint
    from lapis_sessions.recording.compare.view import DifferentView, EventsView


@dataclass(frozen=True, slots=True)
class PointView:
    """A point of a branch, and what it goes on with after the parting."""

    branch: str
    retired: int
    """Instructions; so the number of the next event, and ns."""
    event: int
    now: int
    act: int | None
    """The first act after the parting, from 1; None where there is none."""
    text: str | None
    """It in words."""


@dataclass(frozen=True, slots=True)
class ApartView:
    """The whole report; `a` is where the machine is."""

    equal: bool
    a: PointView
    b: PointView
    retired: int
    """Instructions at which the two part; so the number of the next event."""
    event: int
    first: EventsView | None
    """The first event that differs."""
    fields: tuple[DifferentView, ...]
    """Of the states at the two points."""


def apart(found: Apart) -> ApartView:
    """Return the object of `diff`."""
    mine, its = found.acts
    return ApartView(
        equal=found.is_equal,
        a=_point(found.here, mine),
        b=_point(found.there, its),
        retired=found.parting.retired,
        event=found.parting.seq,
        first=diff_view.first_event(found.events),
        fields=diff_view.differences(found.fields),
    )


def _point(point: BranchPoint, index: int | None) -> PointView:
    branch, at = point.branch, point.spot.at
    act = None if index is None else history.act(branch, index, 0)
    return PointView(
        branch=branch.name,
        retired=at.retired,
        event=at.seq,
        now=at.now,
        act=None if act is None else act.number,
        text=None if act is None else act.text,
    )


def text(view: ApartView) -> str:
    """Return the report in words."""
    sides = (("a", view.a), ("b", view.b))
    out = [f"{name}: {_where(side)}" for name, side in sides]
    if view.equal and view.a.act is None and view.b.act is None:
        return "\n".join([*out, "they are the same point"])
    out += ["", f"they part at instruction {view.retired:,}, event {view.event}; then"]
    out += [f"  {name}  {_act(side)}" for name, side in sides]
    out += ["", *diff_view.event_text(view.first)]
    count = len(view.fields)
    if not count:
        return "\n".join([*out, "", "the states do not differ"])
    what = "1 field differs" if count == 1 else f"{count} fields differ"
    head = f"{what} between the two points:"
    return "\n".join([*out, "", head, *diff_view.table(view.fields)])


def _where(view: PointView) -> str:
    name = visible(view.branch)
    return f"{name} at instruction {view.retired:,}, event {view.event}"


def _act(view: PointView) -> str:
    return "(it ends)" if view.act is None else f"act {view.act}: {view.text}"
