"""A local APIC and what is pending on its vCPU, taken from a machine and put onto one.

Saved state is plain data that JSON can hold, with these keys:

lapic: the fields of `vdi_lapic_v1` (`saved.lapic`).
events: pending events and run-state (`saved.events`), or absent: the target's stay.
now: ns of virtual time when it was saved, or absent: 0. The timer goes on with what
    was left of it.
timer_current: instead of a target, the current count of the timer, or absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.events import ApicImported
from lapis_engine.saved import events as saved_events
from lapis_engine.saved import lapic as lapic_record
from lapis_engine.saved import plausibility
from lapis_engine.saved.lapic import RecordError
from lapis_engine.units import NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.saved.events import SavedEvents
    from lapis_engine.saved.lapic import LapicRecord
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

KEYS: Final = frozenset({"lapic", "events", "now", "timer_current"})
LATEST: Final = (1 << 63) - 1
"""A time is an i64."""


def export_apic(vm: Vm, vcpu: Vcpu) -> dict[str, Any]:
    """Return the saved state of `vcpu`."""
    lapic = lapic_record.export(vcpu.apic, vm.profile)
    return {
        "lapic": lapic_record.to_fields(lapic),
        "events": saved_events.to_fields(saved_events.export(vcpu)),
        "now": vm.now,
    }


def import_apic(
    vm: Vm,
    vcpu: Vcpu,
    saved: Mapping[str, Any],
    source: str,
    *,
    lenient: bool = False,
) -> list[str]:
    """Put saved state onto `vcpu`; return remarks on it, a sentence each.

    With `lenient` fields of the APIC may be absent, and keep the target's values;
    version, id and BSP flag are made to fit, the mode may change, and an INIT may be
    pending that VM_SET_RUN_STATE would refuse.

    Raises `RecordError` naming field and reason, and changes nothing then.
    """
    ready = prepared(vm, vcpu, saved, lenient=lenient)
    lapic_record.load(vcpu.apic, ready.lapic, vm.profile)
    vcpu.apic.tsc_deadline = ready.tsc_deadline
    vm.note(ApicImported(vcpu.id, source))
    if ready.events is not None:
        saved_events.put(vm, vcpu, ready.events)
    vm.timers.moved = vm.attention.kick = True
    return ready.said


class Prepared(NamedTuple):
    """Saved state that a vCPU can have."""

    lapic: LapicRecord
    events: SavedEvents | None
    tsc_deadline: int
    said: list[str]
    """Remarks on it, a sentence each."""


def prepared(
    vm: Vm, vcpu: Vcpu, saved: Mapping[str, Any], *, lenient: bool = False
) -> Prepared:
    """Check saved state for `vcpu`, which is not changed; raise `RecordError`."""
    profile = vm.profile
    # A machine that is there for what a file has names its APICs as the file does.
    any_id = lenient and bool(vm.unknown)
    _check_parts(saved)
    base = lapic_record.export(vcpu.apic, profile) if lenient else None
    wanted = lapic_record.from_fields(_part(saved, "lapic"), base)
    wanted = _timed(vm, wanted, saved)
    target, said = vcpu.apic, list(plausibility.remarks(wanted))
    if lenient:
        given = frozenset(saved["lapic"])
        wanted, adapted = plausibility.adapt(
            wanted, target, profile, given, any_id=any_id
        )
        target = plausibility.mode_of(target, wanted)
        said += adapted
    plausibility.check(wanted, target, profile, any_id=any_id)
    events = None
    if saved.get("events") is not None:
        events = saved_events.from_fields(_part(saved, "events"))
        saved_events.check(events, vcpu, profile, lenient=lenient)
    tsc_deadline = _tsc_deadline(vm, vcpu, wanted, events)
    return Prepared(wanted, events, tsc_deadline, said)


def _check_parts(saved: Mapping[str, Any]) -> None:
    if not isinstance(saved, dict):
        raise RecordError("saved state", "BAD_VALUE", "it must be an object of parts")
    for key in saved:
        if key not in KEYS:
            why = "saved state has no such part"
            raise RecordError(lapic_record.shown(key), "UNKNOWN", why)


def _part(saved: Mapping[str, Any], name: str) -> Mapping[str, object]:
    part = saved.get(name)
    if not isinstance(part, dict):
        raise RecordError(name, "MISSING", "it must be an object of fields")
    return part


def _timed(vm: Vm, wanted: LapicRecord, saved: Mapping[str, Any]) -> LapicRecord:
    """Move the timer from the clock of the source to the machine's."""
    then, current = _count(saved, "now"), _count(saved, "timer_current")
    if "timer_current" in saved:
        profile = vm.profile
        return plausibility.target_of_count(wanted, current, vm.now, profile)
    if not wanted.vl_timer_target or "vl_timer_target" not in saved["lapic"]:
        return wanted
    at = max(wanted.vl_timer_target - then + vm.now, 1)
    if at > LATEST:
        why = f"{wanted.vl_timer_target} ns is too far from now, {then} ns"
        raise RecordError("vl_timer_target", "BAD_VALUE", why)
    return replace(wanted, vl_timer_target=at)


def _count(saved: Mapping[str, Any], name: str) -> int:
    value = saved.get(name, 0)
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 0 <= value <= LATEST
    ):
        why = f"{repr(value)[:40]} is not from 0 to 2^63 - 1"
        raise RecordError(name, "BAD_VALUE", why)
    return value


def _tsc_deadline(
    vm: Vm, vcpu: Vcpu, wanted: LapicRecord, events: SavedEvents | None
) -> int:
    """Return IA32_TSC_DEADLINE: what was saved, or else what the target comes to.

    Raises `RecordError` where it is armed and the timer is not, or the other way.
    """
    profile = vm.profile
    by_tsc = plausibility.is_tsc_deadline(wanted, profile) and wanted.vl_timer_target
    if events is None:
        ticks = wanted.vl_timer_target * vm.tsc_hz // NS + vcpu.tsc_offset
        return max(ticks, 1) & (1 << 64) - 1 if by_tsc else 0
    if bool(events.tsc_deadline) != bool(by_tsc):
        why = (
            f"{events.tsc_deadline:#x}, with LVT TIMER {wanted.vlp_lvt_timer:#x} and "
            f"vl_timer_target {wanted.vl_timer_target}: both are armed, or none"
        )
        raise RecordError("tsc_deadline", "TIMER_MISMATCH", why)
    return events.tsc_deadline
