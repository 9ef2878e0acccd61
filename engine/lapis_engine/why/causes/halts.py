"""Why a vCPU does not wake from HLT: what came too early, elsewhere, or not at all.

SDM Vol. 2A "HLT", Vol. 3A "Masking Maskable Hardware Interrupts".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.errors import UnmappedError
from lapis_engine.events import TimerFired
from lapis_engine.explain.moments import moment
from lapis_engine.machine.log import KEPT
from lapis_engine.why import ppr, wakes
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.causes.fates import Fates
    from lapis_engine.why.causes.spins import Place

HLT: Final = b"\xf4"
FOR_OTHERS: Final = frozenset({"elsewhere", "excludes-self"})
"""Fates of what need not have been for it at all."""
LATE: Final = frozenset({"runs", "latched"})
"""Fates of a SIPI that came to one that ran; some profiles keep it."""
SHUT: Final = frozenset({"lvt-mask", "timer-blocked"})
"""Rules of a timer that runs and will wake nobody."""
TIMED: Final = frozenset({"timer", "device-timer", "delayed"})
"""Rules of what is sure to come."""


def halts(machine: Machine, it: Vcpu, known: Fates, place: Place) -> list[Reason]:
    """Return why it stays in HLT, the cause first."""
    where = place(_hlt(machine, it))
    if not it.regs.interrupts:
        near, far = _nmis(known)
        return [*wrong_page(known), *near, _masked(it, where), *_in_vain(it), *far]
    found = _held(it, known)
    every = list(wakes.wakes(machine, it))
    ways = [way for way in every if way.rule in TIMED]
    soonest = min(ways, key=lambda way: way.values["left"], default=None)
    rflags = it.regs.rflags
    head = f"it is halted at {where} and waits for an interrupt"
    if soonest is not None:
        found.append(allows("halted", f"{head}: {soonest.text}", rflags=rflags))
        return found
    found += [
        Reason("timer-shut", f"{head}: {way.text}", way.values, blocks=True)
        for way in every
        if way.rule in SHUT
    ]
    found += _timer_in_vain(machine, it, head)
    text = f"{head}: none is pending, and no timer is armed that would bring one"
    found.append(blocks("no-source", text, rflags=rflags))
    return found


def _timer_in_vain(machine: Machine, it: Vcpu, head: str) -> Iterator[Reason]:
    """Yield that the APIC timer fired while it was masked, if it did so last."""
    for logged in reversed(machine.log.last(KEPT)):
        event = logged.event
        if isinstance(event, TimerFired) and event.vcpu == it.id:
            if event.masked and it.apic.timer_deadline is None:
                text = (
                    f"{head}: the APIC timer fired in vain at {moment(logged.at)}, as "
                    f"LVT timer was masked (bit 16)"
                )
                yield blocks("fired-in-vain", text, at=logged.at)
            return


def _hlt(machine: Machine, it: Vcpu) -> int:
    """Return the linear address of the HLT, or of what comes after it."""
    rip = it.regs.linear_rip
    try:
        is_before = rip and machine.read_memory(it.id, rip - 1, 1) == HLT
    except UnmappedError:
        return rip
    return rip - 1 if is_before else rip


def _masked(it: Vcpu, where: str) -> Reason:
    rflags = it.regs.rflags
    text = (
        f"it is halted at {where} with IF=0 (RFLAGS is {rflags:#x}): only NMI, INIT, "
        "SMI or reset wakes it"
    )
    return blocks("halted-if0", text, rflags=rflags)


def _nmis(known: Fates) -> tuple[list[Reason], list[Reason]]:
    """Return the NMI that should have woken it, and one that was for another."""
    nmi = known.missed.get("nmi")
    if nmi is None:
        return [], []
    return ([], [nmi.reason]) if nmi.fate in FOR_OTHERS else ([nmi.reason], [])


def _in_vain(it: Vcpu) -> list[Reason]:
    """Return what is pending, and does not wake it."""
    out = []
    waiting = priority.highest(it.apic.irr)
    if waiting >= 0:
        text = f"vector {waiting:#04x} is in its IRR, and waits for IF"
        out.append(blocks("if", text, vector=waiting))
    if it.nmi_pending and it.nmi_blocked:
        text = "an NMI is pending, and waits for the IRET of the NMI handler"
        out.append(blocks("nmi-blocking", text))
    return out


def wrong_page(known: Fates) -> list[Reason]:
    """Return that a SIPI for another page came too late, if one did."""
    late, starter = known.came.get("sipi"), known.starter
    if late is None or starter is None or late.fate not in LATE:
        return []
    if late.vector == starter.vector or late.event < starter.event:
        return []
    assert starter.vector is not None
    start = starter.vector << 12
    text = f"{late.text}, since SIPI {starter.vector:#04x} started it at {start:#x}"
    return [Reason("runs", text, {**late.reason.values, "start": start}, blocks=True)]


def _held(it: Vcpu, known: Fates) -> list[Reason]:
    """Return what keeps an interrupt that was sent from waking it."""
    out = []
    waiting = priority.highest(it.apic.irr)
    if waiting >= 0:
        out.append(ppr.class_reason(it.apic, waiting))
    if known.refused is not None:
        out.append(known.refused.reason)
    missed = known.missed.get("fixed")
    if missed is not None and missed.fate not in FOR_OTHERS:
        out.append(missed.reason)
    return out
