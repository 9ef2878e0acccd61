"""What is pending on a vCPU beside its APIC, saved and put back.

bhyve keeps it in VMM_ARCH (VAI_PEND_NMI, VAI_PEND_EXTINT, VAI_PEND_EXCP,
VAI_PEND_INTINFO) and the run-state apart. An event in delivery is written as bhyve's
`intinfo`: vector in 7:0, type in 10:8, error code valid in 11, valid in 31, error code
in 63:32.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.bits import bit, bits
from lapis_engine.cpu.delivery import Pending
from lapis_engine.cpu.fault import NMI_VECTOR
from lapis_engine.cpu.intercepts import IRET
from lapis_engine.events import RunStateChanged
from lapis_engine.saved.lapic import RecordError, shown
from lapis_engine.vie import pending
from lapis_engine.vmm import ioctls
from lapis_engine.vmm import run_state as runstate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.gates import Kind
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

VECTOR: Final = bits(7, 0)
TYPE: Final = bits(10, 8)
ERROR_VALID: Final = bit(11)
VALID: Final = bit(31)
ERROR: Final = bits(63, 32)
RESERVED: Final = bits(30, 12)
KINDS: Final[dict[int, Kind]] = {
    0: "external", 2: "nmi", 3: "exception", 4: "software",
}  # fmt: skip
"""Type in `intinfo` -> kind of event."""
EXCEPTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class SavedEvents:
    """Pending events and run-state of a vCPU; u64 each, flags are 0 or 1."""

    run_state: int = runstate.RUN
    sipi_vector: int = 0
    halted: int = 0
    pend_nmi: int = 0
    nmi_blocked: int = 0
    pend_extint: int = 0
    pend_excp: int = 0
    """An exception, as `intinfo`."""
    pend_intinfo: int = 0
    """Any other event whose delivery was interrupted."""
    cr2: int = 0
    """For a #PF in `pend_excp`."""
    return_rip: int | None = None
    """RIP to push where it is not RIP itself: after a software interrupt."""
    tsc_deadline: int = 0
    """MSR 0x6E0, for which the record of the APIC has no field; `saved` puts it."""


FLAGS: Final = ("halted", "pend_nmi", "nmi_blocked", "pend_extint")
NAMES: Final = tuple(field.name for field in fields(SavedEvents))


def export(vcpu: Vcpu) -> SavedEvents:
    """Return what is pending on a vCPU."""
    event = vcpu.event
    info = 0 if event is None else _encode(event)
    is_exception = event is not None and event.kind == "exception"
    return SavedEvents(
        run_state=vcpu.run_state,
        sipi_vector=vcpu.sipi_vector,
        halted=int(vcpu.halted),
        pend_nmi=int(vcpu.nmi_pending),
        nmi_blocked=int(vcpu.nmi_blocked),
        pend_extint=int(vcpu.extint_pending),
        pend_excp=info if is_exception else 0,
        pend_intinfo=0 if is_exception else info,
        cr2=0 if event is None else event.cr2,
        return_rip=None if event is None else event.return_rip,
        tsc_deadline=vcpu.apic.tsc_deadline,
    )


def _encode(event: Pending) -> int:
    kind = next(number for number, kind in KINDS.items() if kind == event.kind)
    info = VALID | TYPE.put(event.vector, kind)
    return info if event.error is None else ERROR.put(info | ERROR_VALID, event.error)


def to_fields(events: SavedEvents) -> dict[str, Any]:
    """Return the events as plain data that JSON can hold."""
    return {name: getattr(events, name) for name in NAMES}


def from_fields(given: Mapping[str, object]) -> SavedEvents:
    """Return the events of plain data; raise `RecordError` as for the APIC's record."""
    for name in given:
        if name not in NAMES:
            raise RecordError(shown(name), "UNKNOWN", "there is no such event field")
    values: dict[str, Any] = dict(given)
    for name in NAMES:
        if name not in given:
            raise RecordError(name, "MISSING", "every field must be there")
        value, most = given[name], 1 if name in FLAGS else (1 << 64) - 1
        if name == "return_rip" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise RecordError(name, "BAD_VALUE", f"{repr(value)[:40]} is not a number")
        if not 0 <= value <= most:
            raise RecordError(
                name, "BAD_VALUE", f"{value:#x} is not from 0 to {most:#x}"
            )
    return SavedEvents(**values)


def check(
    events: SavedEvents, vcpu: Vcpu, profile: Profile, *, lenient: bool = False
) -> None:
    """Raise `RecordError` for what cannot be pending on `vcpu`.

    PEND_INIT in the run-state is refused where VM_SET_RUN_STATE refuses it (profile
    switch run_state_takes_pend_init), unless `lenient`.
    """
    if pending.pending(vcpu.vie) is not None:
        why = f"an instruction of vCPU {vcpu.id} waits: answer or discard it first"
        raise RecordError("events", "PENDING_REQUEST", why)
    takes = lenient or profile.run_state_takes_pend_init
    legal = ioctls.RUN_STATES if takes else ioctls.RUN_STATES & ~runstate.PEND_INIT
    state = events.run_state
    if state & ~legal:
        why = f"{state:#x}: legal bits are {legal:#x}"
        raise RecordError("run_state", "BAD_RUN_STATE", why)
    if events.sipi_vector > 0xFF:
        why = f"{events.sipi_vector:#x}: vectors are 8 bits"
        raise RecordError("sipi_vector", "BAD_SIPI_VECTOR", why)
    if events.pend_excp and events.pend_intinfo:
        # Not modelled: two events in delivery, which bhyve combines at the next entry.
        why = "pend_intinfo is set too, and one event can be in delivery"
        raise RecordError("pend_excp", "BAD_INTINFO", why)
    for name in ("pend_excp", "pend_intinfo"):
        info = getattr(events, name)
        wrong = _wrong(info, exception=name == "pend_excp") if info else None
        if wrong is not None:
            raise RecordError(name, "BAD_INTINFO", f"{info:#x}: {wrong}")


def _wrong(info: int, *, exception: bool) -> str | None:
    """Say what is wrong with an event in delivery, or return None."""
    kind, vector = KINDS.get(TYPE.get(info)), info & VECTOR
    if not info & VALID:
        return "the valid bit, 31, is clear"
    if info & RESERVED:
        return f"bits {info & RESERVED:#x} are reserved"
    if kind is None:
        return f"there is no type {TYPE.get(info)}; 0, 2, 3 and 4"
    if (kind == "exception") != exception:
        return f"an event of type {TYPE.get(info)} does not belong there"
    if info & ERROR_VALID and kind != "exception":
        return f"an event of type {TYPE.get(info)} has no error code"
    if kind == "exception" and (vector >= EXCEPTIONS or vector == NMI_VECTOR):
        return f"vector {vector:#04x} is no exception"
    if kind == "nmi" and vector != NMI_VECTOR:
        return f"vector {vector:#04x} is not that of NMI, 2"
    return None


def put(vm: Vm, vcpu: Vcpu, events: SavedEvents) -> None:
    """Put events that were checked onto a vCPU."""
    before, vcpu.run_state = vcpu.run_state, events.run_state
    if before != vcpu.run_state:
        vm.note(RunStateChanged(vcpu.id, before, vcpu.run_state, "imported"))
    vcpu.sipi_vector = events.sipi_vector
    vcpu.halted = bool(events.halted)
    vcpu.nmi_pending = bool(events.pend_nmi)
    vcpu.nmi_blocked = bool(events.nmi_blocked)
    vcpu.extint_pending = bool(events.pend_extint)
    vm.core.intercept(vcpu.regs, IRET, on=vcpu.nmi_blocked)
    info = events.pend_excp or events.pend_intinfo
    vcpu.event = _decode(info, events) if info else None


def _decode(info: int, events: SavedEvents) -> Pending:
    error = ERROR.get(info) if info & ERROR_VALID else None
    kind = KINDS[TYPE.get(info)]
    return Pending(info & VECTOR, kind, error, events.cr2, events.return_rip)
