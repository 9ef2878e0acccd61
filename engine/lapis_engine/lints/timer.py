"""Lints about the APIC timer: what disarms it, and what makes it count wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import timer
from lapis_engine.apic.regs import (
    LVT_MASKED,
    LVT_TIMER_MODE,
    SVR_ENABLED,
    TIMER_TSC_DEADLINE,
)
from lapis_engine.lints.state import Finding
from lapis_engine.lints.traffic import where
from lapis_engine.vmm.msr import TSC_DEADLINE
from lapis_engine.vmm.written import COUNT

if TYPE_CHECKING:
    from lapis_engine.events import (
        ExtIntDelivered,
        MsrAccessed,
        TimerArmed,
        TimerFired,
        VectorDelivered,
    )
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.vmm.written import Written

MODES: Final = ("one-shot", "periodic", "TSC-deadline", "a reserved")
"""Of LVT TIMER, bits 18:17."""
LONG: Final = 0x8000_0000
"""Least initial count of a stretch that is to be measured and not waited for."""
TICKS: Final = 3
"""Interrupts of one vector within it that are the clock it is measured by."""


def armed(vm: Vm, memory: dict[str, Any], event: TimerArmed) -> Finding | None:
    """Find a running count that a write of LVT TIMER drops, by changing its mode."""
    apic, key = vm.vcpus[event.vcpu].apic, str(event.vcpu)
    mode = LVT_TIMER_MODE.get(apic.lvt_timer)
    if event.deadline is not None:
        memory[key] = mode
        return None
    was = memory.pop(key, mode)
    by_deadline = timer.is_tsc_deadline(apic, vm.profile)
    has_moved = was != mode and TIMER_TSC_DEADLINE in {was, mode}
    if not has_moved or not apic.svr & SVR_ENABLED or apic.lvt_timer & LVT_MASKED:
        return None
    count, place = apic.timer_initial, where(vm, event.vcpu)
    what = "deadline" if was == TIMER_TSC_DEADLINE else f"count {count:#x}"
    into = "TSC-deadline mode" if by_deadline else "a mode that counts"
    text = f"LVT TIMER, written after the {what}, drops it: it goes to {into}, by "
    values = (("count", count), ("lvt", apic.lvt_timer))
    return Finding("timer-dropped", event.vcpu, place, text + place, values)


def fired(vm: Vm, memory: dict[str, Any], event: TimerFired) -> Finding | None:
    """Find a count that was written before a mode in which a board would drop it.

    # Differs from the SDM: as in bhyve a change between one-shot and periodic leaves
    the count running.
    """
    apic, key = vm.vcpus[event.vcpu].apic, str(event.vcpu)
    mode = LVT_TIMER_MODE.get(apic.lvt_timer)
    was = memory.get(key, mode)
    if was == mode or event.masked:
        return None
    memory[key] = mode
    text = (
        f"fires in {MODES[mode]} mode by a count that was written in {MODES[was]} "
        f"mode: by the SDM the write of LVT TIMER between them disarms it"
    )
    values = (("lvt", apic.lvt_timer), ("count", apic.timer_initial))
    return Finding("timer-dropped", event.vcpu, MODES[mode], text, values)


def ignored(vm: Vm, _memory: dict[str, Any], item: Written) -> Finding | None:
    """Find an initial count that is written in TSC-deadline mode."""
    mode = LVT_TIMER_MODE.get(item.before)
    if item.what != COUNT or not item.value or mode != TIMER_TSC_DEADLINE:
        return None
    if not vm.profile.tsc_deadline:
        return None
    place = where(vm, item.vcpu)
    text = (
        f"initial count {item.value:#x} is ignored: LVT TIMER is in TSC-deadline "
        f"mode, by {place}"
    )
    values = (("count", item.value), ("lvt", item.before))
    return Finding("timer-dropped", item.vcpu, place, text, values)


def deadline(vm: Vm, _memory: dict[str, Any], event: MsrAccessed) -> Finding | None:
    """Find a deadline that is written while the timer is in another mode."""
    if event.msr != TSC_DEADLINE or not event.write or not event.value or event.fault:
        return None
    if timer.is_tsc_deadline(vm.vcpus[event.vcpu].apic, vm.profile):
        return None
    place = where(vm, event.vcpu)
    text = f"IA32_TSC_DEADLINE {event.value:#x} is dropped: LVT TIMER is not in "
    text += f"TSC-deadline mode, by {place}"
    return Finding(
        "timer-dropped", event.vcpu, place, text, (("deadline", event.value),)
    )


# Calibration.


def measured(vm: Vm, memory: dict[str, Any], event: TimerArmed) -> Finding | None:
    """Begin or end a stretch that is measured; find interrupts that lengthen it."""
    apic, key = vm.vcpus[event.vcpu].apic, str(event.vcpu)
    seen: dict[int, int] | None = memory.pop(key, None)
    counts = not timer.is_tsc_deadline(apic, vm.profile) and event.deadline is not None
    if counts and apic.timer_initial >= LONG:
        memory[key] = {}
    if not seen:
        return None
    if max(seen.values()) >= TICKS:
        return None  # from tick to tick others do not lengthen it
    others = sum(seen.values())
    place = where(vm, event.vcpu)
    names = ", ".join(f"{vector:#04x}" for vector in sorted(seen))
    text = (
        f"{others} interrupts (of vectors {names}) within a count from "
        f"{LONG:#x} or above, which measures the timer; ended by {place}"
    )
    return Finding(
        "calibration-interrupted", event.vcpu, place, text, (("interrupts", others),)
    )


def interrupted(
    _vm: Vm, memory: dict[str, Any], event: VectorDelivered | ExtIntDelivered
) -> None:
    """Count the interrupts within a stretch that is measured."""
    seen = memory.get(str(event.vcpu))
    if seen is not None:
        seen[event.vector] = seen.get(event.vector, 0) + 1
