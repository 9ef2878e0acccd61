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
    VERSION_MAX_LVT,
)
from lapis_engine.devices.ioapic import pins
from lapis_engine.vmm import fabric
from lapis_engine.why import ioapic_pins, pic_inputs, traffic
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.apic.state import ApicState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

FIXED_MODES: Final = frozenset({"fixed", "lowest"})
LINTS: Final = frozenset({"lvt_lint0", "lvt_lint1"})


def sources(
    machine: Machine, vcpu: Vcpu, vector: int, *, nmi: bool
) -> Iterator[Reason]:
    """Yield what refuses `vector`, then everyone who names it; with `nmi`, the NMI."""
    vm = machine.vm
    if nmi:
        if vcpu.nmi_blocked:
            yield allows("nmi-blocking", "an NMI handler runs until its IRET")
    else:
        yield from _refusals(vcpu.apic, vector, vm.profile)
    named = [
        *_lvt(machine, vcpu.apic, vector, nmi=nmi),
        *_pins(vm, vcpu, vector, nmi=nmi),
        *pic_inputs.inputs(vm, vcpu, vector),
        *_elsewhere(vm, vcpu, vector),
        *traffic.sent(machine, vcpu, vector, nmi=nmi),
    ]
    yield from named
    if not named:
        what = "an NMI" if nmi else f"vector {vector:#04x}"
        text = (
            f"no LVT entry, IOAPIC pin or ICR names {what}, and no message carried it"
        )
        yield blocks("no-source", text, vector=vector)


def _refusals(apic: ApicState, vector: int, profile: Profile) -> Iterator[Reason]:
    if vector < priority.LOWEST_LEGAL:
        text = f"an APIC takes no vector below 16, and {vector:#04x} is one"
        yield blocks("illegal-vector", text, vector=vector)
    if not apic.svr & SVR_ENABLED:
        text = f"SVR is {apic.svr:#x}: bit 8 is 0, so new interrupts are refused"
        yield blocks("svr", text, svr=apic.svr)
    if not apic.apicbase & BASE_EN and not profile.disabled_apic_receives:
        text = f"APICBASE is {apic.apicbase:#x}: EN (bit 11) is 0, so the APIC is off"
        yield blocks("apicbase", text, apicbase=apic.apicbase)


# The local vector table.


def _lvt(
    machine: Machine, apic: ApicState, vector: int, *, nmi: bool
) -> Iterator[Reason]:
    profile = machine.vm.profile
    has_cmci = VERSION_MAX_LVT.get(profile.apic_version) >= CMCI_INDEX
    for name in LVTS:
        entry: int = getattr(apic, name)
        if name == "lvt_cmci" and not has_cmci:
            continue
        mode = lvt.mode(entry, name)
        if nmi and mode != lvt.NMI:
            continue
        if not nmi and (mode != lvt.FIXED or entry & LVT_VECTOR != vector):
            continue
        yield _entry(machine, apic, name, entry)


def _entry(machine: Machine, apic: ApicState, name: str, entry: int) -> Reason:
    """Say of an LVT entry that names the vector what it waits for."""
    short = name.removeprefix("lvt_")
    about, head = f"lvt {short}", f"LVT {short} ({entry:#x}) names it"
    if entry & LVT_MASKED:
        off = not apic.svr & SVR_ENABLED
        tail = ", and stays so while SVR bit 8 is 0" if off else ""
        text = f"{head} and is masked (bit 16){tail}"
        return blocks("lvt-mask", text, about, lvt=entry)
    if name == "lvt_timer":
        return _timer(machine, apic, head, entry)
    level = name == "lvt_lint0" and entry & LVT_LEVEL
    if level and entry & LVT_REMOTE_IRR:
        text = f"{head}, and its remote IRR (bit 14) is set: it waits for an EOI"
        return blocks("remote-irr", text, about, lvt=entry)
    if name in LINTS:
        return allows("lint", f"{head} and waits for its pin", about, lvt=entry)
    waits = "for an APIC error" if name == "lvt_error" else "for what nothing here does"
    return allows("lvt", f"{head} and waits {waits}", about, lvt=entry)


def _timer(machine: Machine, apic: ApicState, head: str, entry: int) -> Reason:
    deadline = apic.timer_deadline
    if deadline is None:
        text = (
            f"{head}, but the timer is stopped (initial count {apic.timer_initial:#x})"
        )
        return blocks("timer-stopped", text, "lvt timer", lvt=entry)
    left = max(deadline - machine.now, 0)
    text = f"{head} and the timer fires at {deadline} ns, in {left} ns"
    return allows("timer", text, "lvt timer", lvt=entry, deadline=deadline, left=left)


# The IOAPIC.


def _pins(vm: Vm, vcpu: Vcpu, vector: int, *, nmi: bool) -> Iterator[Reason]:
    if vm.ioapic is None:
        return
    for pin in pins.peek(vm.ioapic):
        entry = pin.redirection
        by_vector = entry.mode in FIXED_MODES and entry.vector == vector and not nmi
        if by_vector or (nmi and entry.mode == "nmi"):
            yield from _pin(vm, vcpu, pin)


def _pin(vm: Vm, vcpu: Vcpu, pin: pins.Pin) -> Iterator[Reason]:
    """Say of a pin that names the vector why it sends nothing to this vCPU."""
    entry, about = pin.redirection, f"ioapic pin {pin.number}"
    head = f"IOAPIC pin {pin.number} ({pin.entry:#x}) names it"
    values = {"pin": pin.number, "entry": pin.entry, "count": pin.count}
    found = list(ioapic_pins.standing(vm, pin, head))
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
    reached = fabric.recipients(vm, message)
    names = ", ".join(f"vCPU {number}" for number in reached)
    if not reached:
        yield "destination", f"{where}, which no APIC has"
    elif vcpu.id in reached:
        return
    elif apic_destination.matches(message, vcpu.apic) and entry.mode == "lowest":
        yield "lowest-priority", f"{where} at lowest priority, and {names} wins"
    else:
        yield "elsewhere", f"{where}, which is {names}"


def waiting_pins(machine: Machine, vector: int) -> Iterator[Reason]:
    """Yield the pins that wait for an EOI of a vector that is under way."""
    state = machine.vm.ioapic
    for pin in pins.peek(state) if state is not None else ():
        entry = pin.redirection
        if entry.level and entry.remote_irr and entry.vector == vector:
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
