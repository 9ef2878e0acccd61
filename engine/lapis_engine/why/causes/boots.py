"""Why a vCPU has not been started: the INIT or the SIPI that it would have needed.

SDM Vol. 3A "MP Initialization Protocol Algorithm": INIT, and then a SIPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import icr
from lapis_engine.apic import state as apic_state
from lapis_engine.boot.image import SavedEntry
from lapis_engine.explain.moments import moment
from lapis_engine.vmm import run_state, unreached
from lapis_engine.why import last_command
from lapis_engine.why.causes.fates import GOOD, MODE_WORDS
from lapis_engine.why.causes.tracks import BOOT_AND_NMI, XAPIC_ICR
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.causes.fates import Fates, MessageFate

AWAY: Final = frozenset({"elsewhere"})
"""Fates of what may well have been for another."""


def boots(machine: Machine, it: Vcpu, known: Fates) -> list[Reason]:
    """Return why it was not started, the cause first."""
    found = _ordered(it, known)
    if found:
        return found
    asked = _asked_icr(machine)
    if asked is not None:
        return [asked]
    if it.unreached is not None:
        return [blocks("unreached", unreached.text(it.unreached))]
    if "sipi" not in {*known.came, *known.missed}:
        commands = list(last_command.missed(machine, it))
        if commands:
            return commands
    return [_never(it, known, _since(machine, known))]


def _ordered(it: Vcpu, known: Fates) -> list[Reason]:
    if it.run_state & run_state.INIT:
        return _waits(known)
    inits = _failed(known, "init")
    sipis = _failed(known, "sipi")
    near, far = _split("init", inits)
    if near or not sipis:
        return [*near, *far, *_reasons(sipis)]
    if known.came.get("sipi") in sipis:
        return [*_reasons(sipis), *far]
    return [*far, *_reasons(sipis)] if far else []


def _waits(known: Fates) -> list[Reason]:
    """Return what became of the SIPI, of a vCPU that has taken INIT."""
    init = known.came.get("init")
    since = -1 if init is None else init.event
    sipis = _failed(known, "sipi")
    near, far = _split("sipi", [fate for fate in sipis if fate.event > since])
    if near:
        return [*near, *far]
    out = list(far)
    if known.stopped is not None:
        out.insert(0, _stopped(known.stopped, came=not far))
    early = known.came.get("sipi")
    if not out and early is not None and early in sipis and init is not None:
        text = f"no SIPI came to it after INIT; {early.text}; {init.text}"
        out.append(blocks("sipi-early", text, at=early.at, init=init.at))
    return out


def _stopped(init: MessageFate, *, came: bool) -> Reason:
    text = f"INIT at {moment(init.at)} from {init.source} stopped it while it ran"
    tail = ", and no SIPI was sent to it since" if came else ""
    return blocks("init-again", f"{text}{tail}", at=init.at)


def _failed(known: Fates, mode: str) -> list[MessageFate]:
    """Return those that did nothing, the last one first."""
    both = (known.came.get(mode), known.missed.get(mode))
    found = [fate for fate in both if fate is not None and fate.fate not in GOOD]
    return sorted(found, key=lambda fate: -fate.event)


def _split(
    mode: str, fates: Iterable[MessageFate]
) -> tuple[list[Reason], list[Reason]]:
    """Return those that were for it perhaps, and those that went to another."""
    near = [fate.reason for fate in fates if fate.fate not in AWAY]
    name = mode.upper()
    far = [
        blocks(fate.fate, f"no {name} has come to it; {fate.text}", at=fate.at)
        for fate in fates
        if fate.fate in AWAY
    ]
    return near, far


def _reasons(fates: Iterable[MessageFate]) -> list[Reason]:
    return [fate.reason for fate in fates]


def _since(machine: Machine, known: Fates) -> str:
    """Return from when on the history is known, where that is not the beginning."""
    if known.since:
        return f" (from event #{known.since} on)"
    if isinstance(machine.plan.entry, SavedEntry):
        return " (from when the machine was read on)"
    return ""


def _never(it: Vcpu, known: Fates, since: str) -> Reason:
    """Say that nothing was sent, as far as the history is known."""
    init = known.came.get("init")
    if not it.run_state & run_state.INIT:
        if init is not None:
            text = f"{init.text}, and its run-state was set by hand since"
            return blocks("set-by-hand", text, at=init.at)
        return blocks("never-sent", f"no INIT has been sent to it{since}")
    head = "it took INIT" if init is None else init.text
    return blocks("no-sipi", f"{head}, and no SIPI was sent to it since{since}")


def _asked_icr(machine: Machine) -> Reason | None:
    """Return a pending write to the page of xAPIC that was meant for an ICR."""
    for request in machine.pending():
        apic = machine.vcpus[request.vcpu].apic
        page = apic_state.base(apic)
        if request.read or not 0 <= request.address - page - XAPIC_ICR <= 0x10:
            continue
        data = request.data
        is_low = request.address == page + XAPIC_ICR
        mode = icr.decode(data, x2apic=False, sender=request.vcpu).mode
        if is_low and mode not in BOOT_AND_NMI:
            continue
        now = apic_state.mode(apic)
        text = (
            f"vCPU {request.vcpu} writes {data:#x} to its ICR at {request.address:#x}, "
            f"which is none: its APIC is {MODE_WORDS.get(now, now)}"
        )
        return blocks("no-xapic", text, address=request.address, data=data)
    return None
