"""Who could send a vector that is nowhere, and why they do not.

SDM Vol. 3A "Local Vector Table", "Local APIC State After It Has Been Software
Disabled"; Intel 82093AA "I/O Redirection Table Registers". `traffic` has the messages
that have been sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import lvt, priority
from lapis_engine.apic.regs import (
    BASE_EN,
    CMCI_INDEX,
    LVT_LEVEL,
    LVT_MASKED,
    LVT_REMOTE_IRR,
    LVT_VECTOR,
    LVTS,
    SVR_ENABLED,
    SVR_VECTOR,
    VERSION_MAX_LVT,
)
from lapis_engine.devices.ioapic import pins, regs
from lapis_engine.events import Oddity
from lapis_engine.vmm import fabric
from lapis_engine.why import (
    apic_timer,
    destination,
    eoi,
    fates,
    ioapic_pins,
    pic_inputs,
    ranking,
    traffic,
    unknown,
)
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.apic.state import ApicState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.why.history import History

FIXED_MODES: Final = frozenset({"fixed", "lowest"})
LINTS: Final = frozenset({"lvt_lint0", "lvt_lint1"})


def sources(machine: Machine, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    """Yield what refuses a vector that is nowhere, then everyone who names it."""
    vm, vector, nmi = machine.vm, it.vector, it.nmi
    named = [
        *_lvt(machine, vcpu, it),
        *_pins(machine, vcpu, it),
        *(() if nmi else pic_inputs.inputs(vm, vcpu, it)),
        *_elsewhere(vm, vcpu, vector),
        *fates.fates(it, vcpu.apic, apic_timer.masked_by(machine, vcpu, it)),
        *traffic.sent(machine, vcpu, it),
    ]
    if not nmi:
        yield from _refusals(vcpu.apic, vector, vm.profile, named)
    elif vcpu.nmi_blocked:
        yield allows("nmi-blocking", "an NMI handler runs until its IRET")
    yield from named
    if not named:
        if not nmi and not it.is_alone:
            yield from pic_inputs.asleep(vm)
        yield from _nobody(it, vcpu.apic)


def _nobody(it: History, apic: ApicState) -> Iterator[Reason]:
    if it.astray is not None and isinstance(it.astray.event, Oddity):
        at = it.astray.at
        text = f"a message went astray at {at:,} ns: {it.astray.event.text}"
        yield blocks("bad-message", text, at=at)
    what = "an NMI" if it.nmi else f"vector {it.vector:#04x}"
    if it.vector == SVR_VECTOR.get(apic.svr) and not it.nmi:
        text = (
            f"vector {it.vector:#04x} is the spurious one of the SVR ({apic.svr:#x}): "
            f"nobody sends it, it is never in service, and wants no EOI"
        )
        yield allows("svr-spurious", text, svr=apic.svr)
    if it.is_alone:
        text = f"no LVT entry and no ICR that was imported names {what}"
    else:
        text = (
            f"no LVT entry, IOAPIC pin or ICR names {what}, and no message carried it"
        )
    yield blocks("no-source", text, vector=it.vector)


def _refusals(
    apic: ApicState, vector: int, profile: Profile, named: Sequence[Reason]
) -> Iterator[Reason]:
    if vector < priority.LOWEST_LEGAL:
        text = f"an APIC takes no vector below 16, and {vector:#04x} is one"
        touched = (row for row in named if not ranking.is_as_after_reset(row))
        who = {row.about: None for row in touched if row.about}
        if who:
            text += f", named by {' and '.join(who)}"
        yield blocks("illegal-vector", text, vector=vector)
    if not apic.svr & SVR_ENABLED:
        text = f"SVR is {apic.svr:#x}: bit 8 is 0, so new interrupts are refused"
        yield blocks("svr", text, svr=apic.svr)
    if not apic.apicbase & BASE_EN and not profile.disabled_apic_receives:
        text = f"APICBASE is {apic.apicbase:#x}: EN (bit 11) is 0, so the APIC is off"
        yield blocks("apicbase", text, apicbase=apic.apicbase)


# The local vector table.


def _lvt(machine: Machine, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    profile, apic = machine.vm.profile, vcpu.apic
    has_cmci = VERSION_MAX_LVT.get(profile.apic_version) >= CMCI_INDEX
    for name in LVTS:
        entry: int = getattr(apic, name)
        if name == "lvt_cmci" and not has_cmci:
            continue
        mode = lvt.mode(entry, name)
        if it.nmi and mode != lvt.NMI:
            continue
        if not it.nmi and (mode != lvt.FIXED or entry & LVT_VECTOR != it.vector):
            continue
        yield _entry(machine, vcpu, name, it)


def _entry(machine: Machine, vcpu: Vcpu, name: str, it: History) -> Reason:
    """Say of an LVT entry that names the vector what it waits for."""
    apic = vcpu.apic
    entry: int = getattr(apic, name)
    short = name.removeprefix("lvt_")
    about, head = f"lvt {short}", f"LVT {short} ({entry:#x}) names it"
    if entry & LVT_MASKED:
        off = not apic.svr & SVR_ENABLED
        tail = ", and stays so while SVR bit 8 is 0" if off else ""
        if name == "lvt_timer" and not off:
            tail = apic_timer.masked_by(machine, vcpu, it)
        text = f"{head} and is masked (bit 16){tail}"
        return blocks("lvt-mask", text, about, lvt=entry)
    if name == "lvt_timer":
        return apic_timer.reason(machine, vcpu, head, it)
    level = name == "lvt_lint0" and entry & LVT_LEVEL
    if level and entry & LVT_REMOTE_IRR:
        text = f"{head}, and its remote IRR (bit 14) is set: it waits for an EOI"
        return blocks("remote-irr", text, about, lvt=entry)
    if name in LINTS:
        return allows("lint", f"{head} and waits for its pin", about, lvt=entry)
    waits = "for an APIC error" if name == "lvt_error" else "for what nothing here does"
    return allows("lvt", f"{head} and waits {waits}", about, lvt=entry)


# The IOAPIC.


def _pins(machine: Machine, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    state = machine.vm.ioapic
    for pin in pins.peek(state) if state is not None else ():
        entry, count = pin.redirection, pin.count
        if it.is_alone and (pin.entry, count) == (regs.MASKED, 0):
            continue  # as after reset: the file has none of it
        has_it = entry.mode in FIXED_MODES and entry.vector == it.vector
        if entry.mode == "nmi" if it.nmi else has_it:
            yield from _pin(machine, vcpu, it, pin)


def _pin(machine: Machine, vcpu: Vcpu, it: History, pin: pins.Pin) -> Iterator[Reason]:
    """Say of a pin that names the vector why it sends nothing to this vCPU."""
    vm, entry, about = machine.vm, pin.redirection, f"ioapic pin {pin.number}"
    head = f"IOAPIC pin {pin.number} ({pin.entry:#x}) names it"
    values = {"pin": pin.number, "entry": pin.entry, "count": pin.count}
    if entry.level and entry.remote_irr:
        yield from eoi.as_edge(it, pin)
    yield from ioapic_pins.lost_edges(machine, it, pin, head)
    found = [*ioapic_pins.wrong_pin(vm, pin, head)]
    found += ioapic_pins.standing(vm, pin, head)
    if entry.mode == "nmi" and not vm.profile.messages_of_all_modes:
        found.append(("not-implemented", f"{head}, and NMI messages are dropped here"))
    found += _misses(vm, vcpu, entry, head)
    for rule, text in found:
        yield blocks(rule, text, about, **values)
    if not found:
        yield allows("ioapic", f"{head} and is let out", about, **values)


def _misses(
    vm: Vm, vcpu: Vcpu, entry: pins.Redirection, head: str
) -> Iterator[tuple[str, str]]:
    """Yield the rule and its words when the entry does not name this vCPU."""
    message = ioapic_pins.message(entry)
    kind = "logical destination" if entry.logical else "APIC id"
    where = f"{head}, but goes to {kind} {entry.destination:#x}"
    strangers = unknown.strangers(vm)
    reached = tuple(n for n in fabric.recipients(vm, message) if n not in strangers)
    names = ", ".join(f"vCPU {number}" for number in reached)
    if not reached and strangers:
        yield "destination", f"{where}, and whose that is is not in the file"
    elif not reached:
        own = destination.ids(vcpu)
        yield "destination", f"{where}, which no APIC has (vCPU {vcpu.id} has {own})"
    elif vcpu.id in reached:
        return
    elif apic_destination.matches(message, vcpu.apic) and entry.mode == "lowest":
        yield "lowest-priority", f"{where} at lowest priority, and {names} wins"
    else:
        yield "elsewhere", f"{where}, which is {names}"


def waiting_pins(machine: Machine, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    """Yield the pins that wait for an EOI of a vector that is under way."""
    state = machine.vm.ioapic
    for pin in pins.peek(state) if state is not None else ():
        entry = pin.redirection
        if entry.level and entry.remote_irr and entry.vector == it.vector:
            yield from eoi.will_be_edge(it, vcpu.apic, pin)
            head = f"IOAPIC pin {pin.number} ({pin.entry:#x})"
            text = (
                f"{head} has remote IRR (bit 14) set: it sends no more before the EOI"
            )
            yield allows(
                "remote-irr", text, f"ioapic pin {pin.number}",
                pin=pin.number, entry=pin.entry, count=pin.count,
            )  # fmt: skip


def _elsewhere(vm: Vm, vcpu: Vcpu, vector: int) -> Iterator[Reason]:
    """Yield the other vCPUs that have it."""
    for other in vm.vcpus:
        if other is vcpu:
            continue
        places = [
            name
            for name, bits in (("IRR", other.apic.irr), ("ISR", other.apic.isr))
            if bits >> vector & 1
        ]
        if places:
            text = f"vCPU {other.id} has it, in its {' and '.join(places)}"
            yield blocks("elsewhere", text, f"vcpu {other.id}", vcpu=other.id)
