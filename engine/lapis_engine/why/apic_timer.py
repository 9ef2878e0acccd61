"""Why the APIC timer does not fire: its mode first, and which write it is that counts.

SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import timer
from lapis_engine.apic.regs import (
    LVT_MASKED,
    LVT_TIMER_MODE,
    SVR_ENABLED,
    TIMER_ONE_SHOT,
    TIMER_PERIODIC,
    TIMER_TSC_DEADLINE,
)
from lapis_engine.vmm import written
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.written import Written
    from lapis_engine.why.history import History

ABOUT: Final = "lvt timer"
ARMS: Final = "IA32_TSC_DEADLINE (MSR 0x6e0)"
MODES: Final = {TIMER_ONE_SHOT: "one-shot", TIMER_PERIODIC: "periodic"}


def reason(machine: Machine, vcpu: Vcpu, head: str, found: History) -> Reason:
    """Say when the timer fires next, or why it does not."""
    apic, profile = vcpu.apic, machine.vm.profile
    if apic.timer_deadline is not None:
        return _running(machine, apic, head)
    writes = machine.vm.writes.get(written.timer(vcpu.id), ())
    fired = found.timer
    for it in reversed([each for each in writes if each.at >= found.since]):
        if fired is not None and fired.at >= it.at:
            break
        told = _by_write(apic, it, head, later=writes[writes.index(it) + 1 :])
        if told is not None:
            return told
    if fired is not None:
        return _expired(apic, head, fired.at)
    if timer.is_tsc_deadline(apic, profile):
        return _never_armed(apic, head, is_imported=found.was_imported)
    count = apic.timer_initial
    text = f"{head}, but the timer is stopped (initial count {count:#x})"
    return blocks("timer-stopped", text, ABOUT, lvt=apic.lvt_timer, count=count)


def masked_by(machine: Machine, vcpu: Vcpu, found: History) -> str:
    """Say which write masked LVT TIMER, where that is known."""
    writes = machine.vm.writes.get(written.timer(vcpu.id), ())
    for it in reversed([each for each in writes if each.at >= found.since]):
        if it.what == written.LVT and it.value & LVT_MASKED:
            return f", as {_wrote('the value', it)}, has it"
        if it.what == written.LVT:
            return (
                f": {_wrote('the value', it)}, would unmask it, and bit 8 of the SVR "
                f"was 0 then, which keeps it masked"
            )
        off = it.what == written.SVR and not it.value & SVR_ENABLED
        if off and not it.before & LVT_MASKED:
            return (
                f": switching the APIC off ({_wrote('SVR', it)}) masked it, and "
                f"switching it on does not unmask it"
            )
    return ""


def _running(machine: Machine, apic: ApicState, head: str) -> Reason:
    deadline, entry = apic.timer_deadline, apic.lvt_timer
    assert deadline is not None, "it runs"
    left = max(deadline - machine.now, 0)
    text = f"{head} and the timer fires at {deadline:,} ns, in {left:,} ns"
    if timer.is_tsc_deadline(apic, machine.vm.profile):
        text = f"{text}: TSC-deadline, armed by {ARMS}"
    else:
        name, by = MODES.get(LVT_TIMER_MODE.get(entry), "reserved"), timer.divisor(apic)
        text = f"{text}: {name}, count {apic.timer_initial:#x}, divided by {by}"
    values = {"lvt": entry, "deadline": deadline, "left": left}
    return allows("timer", text, ABOUT, **values)


def _by_write(
    apic: ApicState, it: Written, head: str, later: tuple[Written, ...]
) -> Reason | None:
    """Say what a write did that the timer is stopped, or None where it did nothing."""
    values = {"lvt": apic.lvt_timer, "value": it.value, "at": it.at}
    stopped = f"{head}, but the timer is stopped"
    in_deadline = _is_deadline(it.before)
    if it.what == written.SVR:
        if not it.was_armed or it.value & SVR_ENABLED:
            return None
        text = f"{stopped}: switching the APIC off ({_wrote('SVR', it)}) disarmed it"
        return blocks("timer-disarmed", text, ABOUT, **values)
    if it.what == written.LVT:
        if not it.was_armed or _is_deadline(it.value) == in_deadline:
            return None
        into = "out of" if in_deadline else "into"
        text = (
            f"{stopped}: {_wrote('LVT timer', it)}, changed its mode {into} "
            f"TSC-deadline, which disarms it"
        )
        return blocks("timer-disarmed", text, ABOUT, **values)
    if it.what == written.COUNT:
        return _by_count(apic, it, stopped, later)
    if not in_deadline:
        text = (
            f"{stopped}: {_wrote(ARMS, it)}, was ignored, as LVT timer "
            f"({it.before:#x}) was not in TSC-deadline mode{_mode_since(later)}"
        )
        return blocks("timer-deadline-ignored", text, ABOUT, **values)
    if it.value == 0:
        text = f"{stopped}: {_wrote(ARMS, it)}, disarmed it"
        return blocks("timer-disarmed", text, ABOUT, **values)
    return None


def _by_count(
    apic: ApicState, it: Written, stopped: str, later: tuple[Written, ...]
) -> Reason | None:
    values = {"lvt": apic.lvt_timer, "value": it.value, "at": it.at}
    wrote = _wrote("the initial count", it)
    if _is_deadline(it.before):
        text = (
            f"{stopped}: {wrote}, was ignored, as LVT timer ({it.before:#x}) was in "
            f"TSC-deadline mode, where {ARMS} arms it{_mode_since(later)}"
        )
        return blocks("timer-count-ignored", text, ABOUT, **values)
    if it.value & 0xFFFF_FFFF == 0:
        text = f"{stopped}: {wrote}, stops it"
        return blocks("timer-count-0", text, ABOUT, **values)
    return None


def _mode_since(later: tuple[Written, ...]) -> str:
    """Tell of the change of mode that came after a write, if one did."""
    for it in later:
        if it.what == written.LVT and _is_deadline(it.value) != _is_deadline(it.before):
            return f"; the mode has changed since ({_wrote('LVT timer', it)})"
    return ""


def _is_deadline(entry: int) -> bool:
    return LVT_TIMER_MODE.get(entry) == TIMER_TSC_DEADLINE


def _wrote(what: str, it: Written) -> str:
    """Name a write: what, its value, when, and where in the code."""
    where = "by the user" if it.rip is None else f"at RIP {it.rip:#x}"
    return f"{what} {it.value:#x}, written {where} at {it.at:,} ns"


def _expired(apic: ApicState, head: str, at: int) -> Reason:
    if _is_deadline(apic.lvt_timer):
        tail = f"{ARMS} arms it for one time, and was not written since"
    else:
        tail = "only a write of the initial count starts it again, and none came since"
        if LVT_TIMER_MODE.get(apic.lvt_timer) == TIMER_ONE_SHOT:
            tail = f"one-shot: {tail}"
    text = f"{head}, but the timer is stopped: it fired at {at:,} ns; {tail}"
    return blocks("timer-expired", text, ABOUT, lvt=apic.lvt_timer, at=at)


def _never_armed(apic: ApicState, head: str, *, is_imported: bool) -> Reason:
    if is_imported:
        text = (
            f"{head} in TSC-deadline mode: {ARMS} arms it, and not the initial count; "
            f"what it was is not among what was imported"
        )
        return allows("timer-deadline-unknown", text, ABOUT, lvt=apic.lvt_timer)
    text = (
        f"{head}, but the timer is stopped: it is in TSC-deadline mode, where writes "
        f"of the initial count are ignored, and {ARMS}, which arms it, was not written"
    )
    return blocks("timer-not-armed", text, ABOUT, lvt=apic.lvt_timer)
