"""Where a session is in its history, as plain data that JSON can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def place(session: Session) -> Json:
    """Return where the machine is, and how far its history goes on from there."""
    timeline = session.timeline
    at, end = timeline.spot.at, timeline.branch.end.at
    vcpu = session.machine.vcpu(session.selected)
    return {
        "retired": at.retired,
        "event": at.seq,
        "now": at.now,
        "branch": timeline.branch.name,
        "end": end.retired,
        "end_event": end.seq,
        "at_end": timeline.at_end,
        "vcpu": vcpu.id,
        "rip": vcpu.regs.rip,
    }


def branches(session: Session) -> list[Json]:
    """Return a row a branch."""
    timeline = session.timeline
    return [
        {
            "name": branch.name,
            "parent": branch.parent,
            "fork": branch.fork.at.retired if branch.fork is not None else None,
            "acts": len(branch.entries),
            "end": branch.end.at.retired,
            "current": branch is timeline.branch,
        }
        for branch in timeline.branches.values()
    ]


def checkpoints(session: Session) -> Json:
    """Return the named points, and the checkpoints of this branch."""
    timeline = session.timeline
    named = [
        {"name": name, "branch": branch, "retired": spot.at.retired}
        for name, (branch, spot) in timeline.names.items()
    ]
    return {
        "named": named,
        "kept": [kept.spot.at.retired for kept in timeline.branch.kept],
        "bytes": timeline.keeper.held,
        "limit": timeline.keeper.ceiling,
    }
