"""An immutable picture of a session, for panes: nothing in it is live.

Making one changes nothing in the machine and touches no device.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lapis_engine.why import vcpu as why_vcpu
from lapis_sessions.views import (
    apic,
    asked,
    consoles,
    devices,
    history,
    lints,
    memory_picture,
    registers,
    why,
)
from lapis_sessions.views.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cause import Cause
    from lapis_engine.cpu.disasm import Line
    from lapis_engine.devices.vga.screen import Screen
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.why.vcpu import VcpuAnswer
    from lapis_sessions.session import Session
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.timeline.timeline import Timeline
    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.asked import Requests
    from lapis_sessions.views.devices import DevicesSnapshot
    from lapis_sessions.views.history import History, HistoryAct
    from lapis_sessions.views.lints import FoundRow
    from lapis_sessions.views.memory_picture import MemoryPicture, MemoryPlace


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
    """As `registers.values` names them."""
    code: tuple[Line, ...]
    """Instructions from RIP on; empty where nothing is mapped."""
    apic: ApicView


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
    requests: Requests | None
    """What is known of these and of those before; None unless it is wanted."""
    breakpoints: tuple[int, ...]
    """Linear addresses, ascending."""
    consoles: Mapping[str, bytes]
    """What the guest printed, by port."""
    screen: Screen | None
    """What the display adapter shows, if there is one in a text mode."""
    events: tuple[Logged, ...]
    """The last ones, oldest first."""
    events_total: int
    """How many there have been: the number of the next."""
    symbols: Places
    """Names by linear address; `near` and `line` tell of any address."""
    ahead: int | None
    """Instructions from here to the end of what was done, or None at the end."""
    branch: str
    recording: bool
    """Whether what is done goes to a file."""
    unsaved: int
    """Acts of the user's that are in no file."""
    history: History
    """Where in its history this is, and what is around."""
    acts: tuple[HistoryAct, ...]
    """Acts around the one that is looked at, oldest first, as many as are wanted."""
    devices: DevicesSnapshot | None
    """The devices that interrupt; None where they were not wanted."""
    lints: tuple[FoundRow, ...] | None
    """What the lints have found; None unless it is wanted."""
    memory: MemoryPicture | None
    """The memory at the place that was wanted."""
    why: VcpuAnswer | None
    """Why one of them stands, or gets nowhere; None where it was not wanted."""


EVERYTHING_USUAL = Wanted()


def take(session: Session, wanted: Wanted = EVERYTHING_USUAL) -> Snapshot:
    """Return the picture, with what is `wanted` in it."""
    machine = session.machine
    return Snapshot(
        guest=session.guest,
        profile=machine.config.profile.name,
        switches=machine.config.profile,
        schedule=machine.schedule.policy,
        now=machine.now,
        selected=session.selected,
        vcpus=tuple(_vcpu(machine, v.id, wanted.code) for v in machine.vcpus),
        pending=tuple(machine.pending()),
        requests=asked.take(session) if wanted.requests else None,
        breakpoints=tuple(machine.breakpoints),
        consoles=MappingProxyType({k: bytes(v) for k, v in machine.consoles.items()}),
        screen=consoles.screen(machine),
        events=tuple(machine.log.last(wanted.events)),
        events_total=machine.log.next_seq,
        symbols=session.symbols.places,
        ahead=_ahead(session.timeline),
        branch=session.timeline.branch.name,
        recording=session.writer is not None and not session.writer.failed,
        unsaved=session.unsaved,
        history=history.take(session),
        acts=history.around(session.timeline, wanted.act, wanted.acts),
        devices=devices.of(machine) if wanted.devices else None,
        lints=lints.found(machine) if wanted.lints else None,
        memory=_memory(machine, wanted.memory),
        why=_why(session, wanted.why),
    )


def _why(session: Session, number: int | None) -> VcpuAnswer | None:
    if number is None:
        return None
    return why_vcpu.vcpu(session.machine, number, why.placed(session))


def _memory(machine: Machine, place: MemoryPlace | None) -> MemoryPicture | None:
    return None if place is None else memory_picture.take(machine, place)


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
        regs=MappingProxyType(registers.values(regs)),
        code=tuple(machine.disassemble(number, None, code)) if code else (),
        apic=apic.of(machine, number),
    )
