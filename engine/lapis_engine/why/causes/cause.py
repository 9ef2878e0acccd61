"""Why a vCPU stands: the cause first, and then what else has to do with it.

The order is that of what a user can do about it: what stopped the whole machine, code
that was not there, what was sent and did not arrive, and only then the state that all
this has led to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.explain.events import run_state_text
from lapis_engine.units import PAGE
from lapis_engine.vmm import run_state
from lapis_engine.why.causes import boots, fates, halts, shutdown, spins, starts
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.causes.fates import Fates
    from lapis_engine.why.causes.spins import Place


def stands(
    machine: Machine, it: Vcpu, known: Fates, place: Place, state: Sequence[Reason]
) -> list[Reason]:
    """Return why it does not run, the cause first; `state` is what keeps it now."""
    rules = {reason.rule: reason for reason in state}
    if "panic" in rules:
        found = [rules["panic"]]
    elif machine.vm.suspended is not None:
        found = _suspended(machine, it, rules["suspended"])
    elif "pending-request" in rules:
        found = [_asks(machine, it, place), *_no_page(machine, it)]
    elif not run_state.can_run(it.run_state):
        found = boots.boots(machine, it, known)
    elif it.halted:
        found = halts.halts(machine, it, known, place)
    else:
        found = []
    found = _with_start(machine, it, known, found)
    told = {reason.rule for reason in found}
    rest = [_short(it, reason) for reason in state if reason.rule not in told]
    return [*found, *rest]


def _short(it: Vcpu, reason: Reason) -> Reason:
    """Return a reason without what the sentence before it has said."""
    if reason.rule != "not-running":
        return reason
    state = it.run_state
    text = f"its run-state is {state:#x} ({run_state_text(state)})"
    return replace(reason, text=text)


def runs(machine: Machine, it: Vcpu, known: Fates, place: Place) -> list[Reason]:
    """Return why it gets nowhere although it runs; nothing if it is not seen to."""
    away = starts.away(machine, it)
    if away is not None:
        return _with_start(machine, it, known, [away])
    spin = spins.spins(machine, it, place)
    if spin is None:
        start = starts.start(machine, it, known)
        is_sure = start is not None and starts.is_nothing(machine, known)
        return [start] if start is not None and is_sure else []
    found = [*halts.wrong_page(known), spin.reason]
    if spin.waits:
        found += [*_writers(machine, it, place), _last_writer(spin.reason)]
    return _with_start(machine, it, known, found)


def _with_start(
    machine: Machine, it: Vcpu, known: Fates, found: list[Reason]
) -> list[Reason]:
    """Put before it that its code was not there; behind it where it did well since."""
    start = starts.start(machine, it, known)
    if start is None:
        return found
    is_idle = it.halted and it.regs.interrupts
    if is_idle and not starts.is_nothing(machine, known):
        return [*found, start]
    return [start, *found]


def _suspended(machine: Machine, it: Vcpu, plain: Reason) -> list[Reason]:
    fatal = shutdown.shutdown(machine, it)
    return [plain] if fatal is None else [fatal, plain]


def _asks(machine: Machine, it: Vcpu, place: Place) -> Reason:
    """Return what it asks of the user."""
    request = machine.pending_on(it.id)
    what = "read" if request.read else "write"
    data = "" if request.read else f" of {request.data:#x}"
    size = "1 byte" if request.bytes == 1 else f"{request.bytes} bytes"
    text = (
        f"it waits for an answer to its {request.kind} {what}{data}, {size} at "
        f"{request.address:#x}, at {place(it.regs.linear_rip)}"
    )
    return blocks(
        "pending-request", text, address=request.address, bytes=request.bytes,
        data=request.data, rip=it.regs.rip,
    )  # fmt: skip


def _no_page(machine: Machine, it: Vcpu) -> list[Reason]:
    """Return that what it asks is an APIC register, where no APIC answers."""
    at, mode = machine.pending_on(it.id).address, apic_state.mode(it.apic)
    if not 0 <= at - apic_state.base(it.apic) < PAGE or mode == "xapic":
        return []
    now = fates.MODE_WORDS.get(mode, mode)
    text = f"{at:#x} is in the page of its APIC, which is {now}: nothing answers there"
    return [blocks("no-xapic", text, address=at)]


def _writers(machine: Machine, it: Vcpu, place: Place) -> list[Reason]:
    """Return who else could write what it waits for, or that nobody does."""
    others = [vcpu for vcpu in machine.vcpus if vcpu is not it]
    able = [vcpu.id for vcpu in others if _is_able(machine, vcpu, place)]
    if able:
        names = ", ".join(f"vCPU {number}" for number in able)
        return [allows("writers", f"what could write it: {names}")]
    tail = ""
    if others:
        more = f"; {len(others) - 1} more" if len(others) > 1 else ""
        first = others[0]
        tail = f" (vCPU {first.id}: {_idles(machine, first, place)}{more})"
    text = f"no other vCPU runs that could write it{tail}"
    return [blocks("nobody-writes", text)]


def _is_able(machine: Machine, it: Vcpu, place: Place) -> bool:
    """Tell whether it runs, and does not spin as well."""
    if machine.why_not_runnable(it.id) is not None:
        return False
    return spins.spins(machine, it, place) is None


def _idles(machine: Machine, it: Vcpu, place: Place) -> str:
    """Return why another one writes nothing: it does not run, or spins as well."""
    if not run_state.can_run(it.run_state):
        return boots.boots(machine, it, fates.fates(machine, it))[0].text
    asleep = machine.why_not_runnable(it.id)
    if asleep is not None:
        return asleep.text
    spin = spins.spins(machine, it, place)
    return "it runs" if spin is None else spin.reason.text


def _last_writer(spin: Reason) -> Reason:
    """Return how to find who wrote it: no event of the history says so."""
    at, size = spin.values["address"], spin.values["bytes"]
    text = f"who wrote it last: `watch {at:#x} {size}`, and then `reverse-continue`"
    return allows("last-writer", text, address=at, bytes=size)
