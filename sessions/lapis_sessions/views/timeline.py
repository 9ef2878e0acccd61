"""Where a session is in its history, and what it keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.branches import Branch


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where the machine is, and how far its history goes on from there."""

    retired: int
    event: int
    now: int
    """ns of virtual time."""
    branch: str
    end: int
    """Instructions at the end of the branch."""
    end_event: int
    at_end: bool
    vcpu: int
    rip: int
    text: str | UnsetType = UNSET
    """More about it, where there is something to say."""
    field: str | UnsetType = UNSET
    """What changed here, where that was looked for; so the next two."""
    value: str | UnsetType = UNSET
    left: str | UnsetType = UNSET
    """The value that it had where the search began."""
    name: str | UnsetType = UNSET
    """What the place was just called, if it was."""
    symbol: str | UnsetType = UNSET
    """What RIP is in: a name, or `start+0x5`."""


@dataclass(frozen=True, slots=True)
class BranchView:
    """A branch."""

    name: str
    parent: str
    fork: int | None
    """Instructions at which it left its parent, or None for the first."""
    acts: int
    end: int
    current: bool


@dataclass(frozen=True, slots=True)
class NamedView:
    """A point with a name."""

    name: str
    branch: str
    retired: int


@dataclass(frozen=True, slots=True)
class CheckpointsView:
    """The named points, and the checkpoints of this branch."""

    named: tuple[NamedView, ...]
    kept: tuple[int, ...]
    """Instructions at each."""
    bytes: int
    limit: int


def place(session: Session) -> PlaceView:
    """Return where the machine is, and how far its history goes on from there."""
    timeline = session.timeline
    at, end = timeline.spot.at, timeline.branch.end.at
    vcpu = session.machine.vcpu(session.selected)
    return PlaceView(
        retired=at.retired,
        event=at.seq,
        now=at.now,
        branch=timeline.branch.name,
        end=end.retired,
        end_event=end.seq,
        at_end=timeline.at_end,
        vcpu=vcpu.id,
        rip=vcpu.regs.rip,
        symbol=session.symbols.places.near(vcpu.regs.linear_rip) or UNSET,
    )


def branches(session: Session) -> list[BranchView]:
    """Return one row per branch."""
    timeline = session.timeline
    return [
        _branch(each, current=each is timeline.branch)
        for each in timeline.branches.values()
    ]


def _branch(branch: Branch, *, current: bool) -> BranchView:
    return BranchView(
        name=branch.name,
        parent=branch.parent,
        fork=branch.fork.at.retired if branch.fork is not None else None,
        acts=len(branch.entries),
        end=branch.end.at.retired,
        current=current,
    )


def checkpoints(session: Session) -> CheckpointsView:
    """Return the named points, and the checkpoints of this branch."""
    timeline = session.timeline
    return CheckpointsView(
        named=tuple(
            NamedView(name, branch, spot.at.retired)
            for name, (branch, spot) in timeline.names.items()
        ),
        kept=tuple(kept.spot.at.retired for kept in timeline.branch.kept),
        bytes=timeline.keeper.held,
        limit=timeline.keeper.ceiling,
    )


def place_text(view: PlaceView) -> str:
    """Say where the machine is."""
    ahead = "" if view.at_end else f" of {view.end:,} on {view.branch}"
    head = f"at instruction {view.retired:,}{ahead}, event {view.event}"
    symbol = "" if view.symbol is UNSET else f", {view.symbol}"
    rip = f"RIP {view.rip:#x}{symbol}"
    lines = [f"{head}, {view.now:,} ns; vCPU {view.vcpu} at {rip}"]
    if view.text is not UNSET:
        lines.append(view.text)
    if view.field is not UNSET:
        lines.append(f"{view.field} is {view.value} from here on")
    return "\n".join(lines)


def branches_text(rows: Sequence[BranchView]) -> str:
    """Return the table of branches."""
    out = []
    for row in rows:
        mark = "*" if row.current else " "
        acts = f"{row.acts} act{'s' * (row.acts != 1)}"
        tail = f", from {row.parent} at {row.fork:,}" if row.fork else ""
        out.append(
            f"{mark} {row.name:<12} {acts}, ends at instruction {row.end:,}{tail}"
        )
    return "\n".join(out)


def checkpoints_text(view: CheckpointsView) -> str:
    """Return the named points and what checkpoints cost."""
    out = [
        f"{row.name:<12} instruction {row.retired:,} on {row.branch}"
        for row in view.named
    ]
    kib, limit = view.bytes >> 10, view.limit >> 10
    out.append(f"{len(view.kept)} checkpoints hold {kib:,} of {limit:,} KiB")
    return "\n".join(out)
