"""A machine as a whole: why it stopped, its vCPUs, and how they take turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lapis_engine.explain.events import run_state_text
from lapis_engine.vmm import exits
from lapis_sessions.plain import LEFT_OUT, Data
from lapis_sessions.text.amounts import amount
from lapis_sessions.timeline.following import END_OF_BRANCH, PLAYED
from lapis_sessions.views import displays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_engine.why.fault import FaultAnswer
    from lapis_sessions.session import Outcome
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.views.displays import DisplayView


@dataclass(frozen=True, slots=True)
class StopView:
    """Why a run or a step came back."""

    stop: str
    """The reason."""
    retired: int
    vcpu: int
    text: str
    exit: Mapping[str, object] | UnsetType = UNSET
    """The exit to userspace, with its code and its text, where that was the reason."""
    commands: tuple[Data, ...] | UnsetType = UNSET
    """What was done at the stop, as `lapis exec --json` tells of it."""
    told: tuple[str, ...] = field(default=(), metadata=LEFT_OUT)
    """The same in words, row by row."""
    display: tuple[DisplayView, ...] | UnsetType = UNSET
    """What is shown at every stop."""
    fault: FaultAnswer | UnsetType = UNSET
    """How it came to a triple fault, if it did."""


@dataclass(frozen=True, slots=True)
class FoundView(StopView):
    """The same of a way to an event."""

    event: str = ""
    """The kind that was looked for."""
    found: bool = False


@dataclass(frozen=True, slots=True)
class VcpuView:
    """The row of a vCPU."""

    id: int
    state: str
    """never-started, wait-for-sipi, running, halted or suspended."""
    run_state: int
    mode: str
    rip: int
    retired: int
    symbol: str | UnsetType = UNSET
    """Where that is: a name, or `start+0x5`."""


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """How turns are given."""

    schedule: str
    only: int
    quantum: int
    """Instructions of a turn."""


def stop(
    record: Stop,
    done: Sequence[Outcome] = (),
    display: Sequence[DisplayView] = (),
    fault: FaultAnswer | None = None,
) -> StopView:
    """Return why a run or a step came back, and what was `done` and shown there."""
    out = UNSET if record.exit is None else exits.to_dict(record.exit)
    told = tuple(
        row for each in done for row in (f"> {each.command}", *each.text.splitlines())
    )
    return StopView(
        record.reason, record.retired, record.vcpu, record.text, out,
        tuple(each.to_dict() for each in done) or UNSET, told,
        tuple(display) or UNSET, UNSET if fault is None else fault,
    )  # fmt: skip


def found(
    record: Stop, event: str, display: Sequence[DisplayView] = (), *, found: bool
) -> FoundView:
    """Return what became of looking for an event."""
    told = stop(record, display=display)
    return FoundView(
        told.stop, told.retired, told.vcpu, told.text, told.exit, display=told.display,
        event=event, found=found,
    )  # fmt: skip


def vcpu(machine: Machine, number: int, places: Places | None = None) -> VcpuView:
    """Return the row of a vCPU; `places` name where it is."""
    it = machine.vcpu(number)
    return VcpuView(
        number,
        machine.vcpu_state(number),
        it.run_state,
        it.regs.mode,
        it.regs.rip,
        it.retired,
        UNSET if places is None else places.near(it.regs.linear_rip) or UNSET,
    )


def schedule(machine: Machine) -> ScheduleView:
    """Return how turns are given."""
    it = machine.schedule
    return ScheduleView(it.policy, it.only, it.quantum)


def stop_text(view: StopView) -> str:
    """Say why it stopped."""
    about_none = view.stop in {"halted", END_OF_BRANCH, PLAYED}
    where = "" if about_none else f" on vCPU {view.vcpu}"
    known = {"", f"{view.retired} instructions"}
    text = "" if view.text in known else f": {view.text}"
    head = f"stopped ({view.stop}){where}{text}"
    shown = () if view.display is UNSET else map(displays.line, view.display)
    why = () if view.fault is UNSET else (f"why: {view.fault.text}",)
    retired = f"{amount(view.retired, 'instruction')} retired"
    return "\n".join([head, *why, retired, *view.told, *shown])


def vcpus_text(rows: Sequence[VcpuView]) -> str:
    """Return the table of vCPUs."""
    out = [
        "vCPU  state          mode       rip                      retired  run-state"
    ]
    out += [
        f"{r.id:>4}  {r.state:<13}  {r.mode:<9}  {r.rip:#018x}"
        f"  {r.retired:>13,}  {run_state_text(r.run_state)}{_place(r)}"
        for r in rows
    ]
    return "\n".join(out)


def selected_text(row: VcpuView) -> str:
    """Say which vCPU is selected now."""
    what = f"{row.state}, {row.mode} mode, RIP {row.rip:#x}"
    return f"vCPU {row.id} selected: {what}{_place(row)}"


def _place(row: VcpuView) -> str:
    return "" if row.symbol is UNSET else f"  {row.symbol}"


def schedule_text(view: ScheduleView) -> str:
    """Say how turns are given."""
    only = f" vCPU {view.only}" if view.schedule == "only" else ""
    return f"{view.schedule}{only}, quantum {view.quantum} instructions"
