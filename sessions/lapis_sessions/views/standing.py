"""Where a session stands, in a row: what runs, where in its history, what waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class Standing:
    """What a prompt says before a line is typed."""

    vcpu: int
    """The one that is selected."""
    state: str
    """never-started, wait-for-sipi, running, halted or suspended."""
    mode: str
    cpl: int
    place: str
    """RIP by the nearest symbol, else its linear address."""
    here: int
    """Instructions of all vCPUs since the beginning."""
    end: int
    """The same at the end of the branch."""
    branch: str
    recording: str | None
    """The file that is written, if any."""
    pending: int
    """Requests that wait for an answer."""


def of(session: Session) -> Standing:
    """Return where it stands; nothing is touched."""
    machine, timeline, chosen = session.machine, session.timeline, session.selected
    regs = machine.vcpu(chosen).regs
    linear = regs.linear_rip
    writer = session.writer
    here = timeline.spot.at.retired
    return Standing(
        vcpu=chosen,
        state=machine.vcpu_state(chosen),
        mode=str(session.value("mode")),
        cpl=int(session.value("cpl")),
        place=session.symbols.places.near(linear) or f"{linear:#x}",
        here=here,
        end=here if timeline.at_end else timeline.branch.end.at.retired,
        branch=timeline.branch.name,
        recording=None if writer is None or writer.failed else writer.path.name,
        pending=len(machine.pending()),
    )


def history_text(view: Standing) -> str:
    """Return the place in history: `4,607 / 4,850 on main`.

    >>> history_text(Standing(0, "", "", 0, "", 4607, 4850, "main", None, 0))
    '4,607 / 4,850 on main'
    """
    ahead = f" / {view.end:,}" if view.end != view.here else ""
    return f"{view.here:,}{ahead} on {view.branch}"
