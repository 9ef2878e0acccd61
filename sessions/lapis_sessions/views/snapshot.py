"""An immutable picture of a session, for panes: nothing in it is live.

Making one changes nothing in the machine and touches no device.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lapis_engine import explain
from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_sessions.views import machine as views

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.apic.state import ApicState
    from lapis_engine.cause import Cause
    from lapis_engine.cpu.disasm import Line
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True)
class ApicSnapshot:
    """One local APIC; values as the guest would read them."""

    mode: str
    """disabled, xapic or x2apic."""
    id: int
    tpr: int
    ppr: int
    isr: tuple[int, ...]
    """Vectors, ascending; so are `irr` and `tmr`."""
    irr: tuple[int, ...]
    tmr: tuple[int, ...]
    icr: int
    icr_text: str
    svr: int
    esr: int
    ldr: int
    timer_deadline: int | None
    """ns of virtual time, or None when stopped."""
    timer_text: str
    lvt: tuple[tuple[str, int], ...]
    """(short name, raw)."""
    lvt_text: str
    """All of them on one line."""


@dataclass(frozen=True, slots=True)
class VcpuSnapshot:
    """One vCPU."""

    id: int
    state: str
    """never-started, wait-for-sipi, running, halted or suspended."""
    why: Cause | None
    """Why it would not retire an instruction now."""
    run_state: int
    mode: str
    """real, protected, compat or long."""
    cpl: int
    retired: int
    rip: int
    linear_rip: int
    regs: Mapping[str, int]
    """As `views.registers` names them."""
    code: tuple[Line, ...]
    """Instructions from RIP on; empty where nothing is mapped."""
    apic: ApicSnapshot


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole session."""

    guest: str
    profile: str
    switches: Profile
    """What the profile sets."""
    schedule: str
    now: int
    """ns of virtual time."""
    selected: int
    vcpus: tuple[VcpuSnapshot, ...]
    pending: tuple[PendingRequest, ...]
    breakpoints: tuple[int, ...]
    """Linear addresses, ascending."""
    consoles: Mapping[str, bytes]
    """What the guest printed, by port."""
    events: tuple[Logged, ...]
    """The last ones, oldest first."""
    events_total: int
    """How many there have been: the number of the next."""
    symbols: Mapping[int, str]
    """Names by linear address."""
    ahead: int | None
    """Instructions from here to the end of what was done, or None at the end."""
    branch: str
    recording: bool
    """Whether what is done goes to a file."""


def take(session: Session, *, code: int = 24, events: int = 200) -> Snapshot:
    """Return the picture, with `code` instructions a vCPU and the last `events`."""
    machine = session.machine
    return Snapshot(
        guest=session.guest,
        profile=machine.config.profile.name,
        switches=machine.config.profile,
        schedule=machine.schedule.policy,
        now=machine.now,
        selected=session.selected,
        vcpus=tuple(_vcpu(machine, v.id, code) for v in machine.vcpus),
        pending=tuple(machine.pending()),
        breakpoints=tuple(machine.breakpoints),
        consoles=MappingProxyType({k: bytes(v) for k, v in machine.consoles.items()}),
        events=tuple(machine.log.last(events)),
        events_total=machine.log.next_seq,
        symbols=session.names,
        ahead=_ahead(session.timeline),
        branch=session.timeline.branch.name,
        recording=session.writer is not None and not session.writer.failed,
    )


def _ahead(timeline: Timeline) -> int | None:
    if timeline.at_end:
        return None
    return timeline.branch.end.at.retired - timeline.spot.at.retired


def _vcpu(machine: Machine, number: int, code: int) -> VcpuSnapshot:
    vcpu = machine.vcpu(number)
    regs = vcpu.regs
    return VcpuSnapshot(
        id=number,
        state=machine.vcpu_state(number),
        why=machine.why_not_runnable(number),
        run_state=vcpu.run_state,
        mode=regs.mode,
        cpl=regs.cpl,
        retired=vcpu.retired,
        rip=regs.rip,
        linear_rip=regs.linear_rip,
        regs=MappingProxyType(views.registers(regs)),
        code=tuple(machine.disassemble(number, None, code)) if code else (),
        apic=apic(machine, number),
    )


def apic(machine: Machine, number: int) -> ApicSnapshot:
    """Return the local APIC of a vCPU."""
    state, now = machine.vcpu(number).apic, machine.now
    version = machine.config.profile.apic_version
    mode = apic_state.mode(state)
    lvt = tuple((n, e["raw"]) for n, e in views.lvts(state, version).items())
    return ApicSnapshot(
        mode=mode,
        id=apic_state.apic_id(state),
        tpr=state.tpr,
        ppr=state.ppr,
        isr=tuple(priority.vectors(state.isr)),
        irr=tuple(priority.vectors(state.irr)),
        tmr=tuple(priority.vectors(state.tmr)),
        icr=state.icr,
        icr_text=icr_text(state.icr, x2apic=mode == "x2apic"),
        svr=state.svr,
        esr=state.esr,
        ldr=apic_state.logical_id(state),
        timer_deadline=state.timer_deadline,
        timer_text=_timer(state, now),
        lvt=lvt,
        lvt_text="  ".join(f"{name} {raw:05x}" for name, raw in lvt),
    )


def _timer(state: ApicState, now: int) -> str:
    if state.timer_deadline is None:
        return "stopped"
    mode = explain.TIMER_MODES[state.lvt_timer >> 17 & 3]
    masked = ", masked" if state.lvt_timer >> 16 & 1 else ""
    left = max(state.timer_deadline - now, 0)
    return f"{mode} vector {state.lvt_timer & 0xFF:02x} in {left:,} ns{masked}"
