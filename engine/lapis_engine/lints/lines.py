"""Lints about IOAPIC pins and about vectors: lost edges, early EOIs, shared vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.priority import LOWEST_LEGAL
from lapis_engine.apic.regs import LVT_MASKED, LVT_VECTOR, VECTORED
from lapis_engine.devices.ioapic import pins
from lapis_engine.lints.state import Finding
from lapis_engine.vmm.fabric import PIN_OF_IRQ_0
from lapis_engine.vmm.written import ENTRY

if TYPE_CHECKING:
    from lapis_engine.events import (
        Exited,
        Halted,
        IoapicEnded,
        IpiSent,
        LvtFired,
        MessageSent,
        PinChanged,
        TimerFired,
    )
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.vmm.written import Written

PIN: Final = "ioapic pin "
"""What the source of a pin's message begins with."""
IPI: Final = "ipi"
TIMER: Final = "timer"


def _pin_of(source: str) -> int | None:
    return int(source[len(PIN) :]) if source.startswith(PIN) else None


# EOI before the device is quiet.


def level_sent(_vm: Vm, memory: dict[str, Any], event: MessageSent) -> None:
    """Remember a level pin whose message goes out."""
    if event.level and event.source.startswith(PIN):
        memory[event.source] = True


def level_moved(_vm: Vm, memory: dict[str, Any], event: PinChanged) -> None:
    """Forget one that has moved since: its device was quiet, or another one came."""
    memory.pop(f"{PIN}{event.pin}", None)


def ended_early(vm: Vm, memory: dict[str, Any], event: IoapicEnded) -> Finding | None:
    """Find an EOI while the line has not moved since the message went out."""
    source = f"{PIN}{event.pin}"
    if not memory.pop(source, False) or not event.again or vm.ioapic is None:
        return None
    memory[source] = True  # and the message is out again
    if vm.ioapic.pins[event.pin].count != 1:
        return None  # another device holds it, too
    number = -1 if vm.entered is None else vm.entered
    text = (
        f"EOI of vector {event.vector:#04x} while IOAPIC pin {event.pin} is still held "
        f"by the device that raised it: it comes again at once"
    )
    values = (("pin", event.pin), ("vector", event.vector))
    return Finding("eoi-early", number, f"pin {event.pin}", text, values)


# Edges that are lost.


def edge_moved(vm: Vm, memory: dict[str, Any], event: PinChanged) -> None:
    """Remember an edge that a masked pin has not let through, until it moves again.

    The 8254 holds its line high between ticks: what it loses comes again.
    """
    key = str(event.pin)
    memory.pop(key, None)
    if not event.asserted or event.count != 1 or event.pin in {0, PIN_OF_IRQ_0}:
        return
    assert vm.ioapic is not None
    entry = pins.decode(vm.ioapic.pins[event.pin].entry)
    if entry.masked and not entry.level:
        memory[key] = True


def edge_awaited(
    vm: Vm, memory: dict[str, Any], event: Halted | Exited | Written
) -> list[Finding] | None:
    """Find pins that were unmasked after their edge, and are still held."""
    if not memory or vm.ioapic is None:
        return None
    found = []
    for key in list(memory):
        pin = vm.ioapic.pins[int(key)]
        entry = pins.decode(pin.entry)
        if entry.masked:
            continue
        del memory[key]
        if entry.level:
            continue
        text = (
            f"IOAPIC pin {key} is edge-triggered, was raised while it was masked, and "
            f"is unmasked now: the edge is lost, and the device waits"
        )
        values = (("pin", int(key)), ("vector", entry.vector))
        found.append(Finding("edge-lost", event.vcpu, f"pin {key}", text, values))
    return found


def edge_unmasked(
    vm: Vm, memory: dict[str, Any], item: Written
) -> list[Finding] | None:
    """Find the same as soon as the entry is written."""
    return edge_awaited(vm, memory, item) if item.what == ENTRY else None


# Vectors below 16.


def low_ipi(_vm: Vm, _memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find an IPI with such a vector."""
    vector = event.icr & LVT_VECTOR
    if event.mode not in VECTORED or vector >= LOWEST_LEGAL:
        return None
    return _low(event.vcpu, vector, "an IPI")


def low_message(_vm: Vm, _memory: dict[str, Any], event: MessageSent) -> Finding | None:
    """Find a message with one."""
    if event.mode not in VECTORED or event.vector >= LOWEST_LEGAL:
        return None
    number = event.targets[0] if event.targets else -1
    return _low(number, event.vector, event.source)


def low_timer(_vm: Vm, _memory: dict[str, Any], event: TimerFired) -> Finding | None:
    """Find a timer that fires with one."""
    if event.masked or event.vector >= LOWEST_LEGAL:
        return None
    return _low(event.vcpu, event.vector, "LVT TIMER")


def low_lvt(_vm: Vm, _memory: dict[str, Any], event: LvtFired) -> Finding | None:
    """Find another LVT entry that does."""
    if event.dropped is not None or event.mode != "fixed":
        return None
    if event.vector >= LOWEST_LEGAL:
        return None
    return _low(event.vcpu, event.vector, f"LVT {event.lvt.upper()}")


def _low(number: int, vector: int, source: str) -> Finding:
    text = f"{source} has vector {vector:#04x}, which no APIC accepts: below 16"
    return Finding(
        "low-vector", number, f"{source} {vector:#04x}", text, (("vector", vector),)
    )


# Vectors of two sources.


def shared_message(
    vm: Vm, memory: dict[str, Any], event: MessageSent
) -> Finding | None:
    """Find an interrupt whose vector is another source's, too."""
    if event.mode not in VECTORED or not event.targets:
        return None
    return _shared(vm, memory, event.source, event.vector, event.targets)


def shared_ipi(vm: Vm, memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find an IPI whose vector is another source's, too."""
    if event.mode not in VECTORED or not event.targets:
        return None
    vector = event.icr & LVT_VECTOR
    return _shared(vm, memory, IPI, vector, event.targets)


def shared_timer(vm: Vm, memory: dict[str, Any], event: TimerFired) -> Finding | None:
    """Find a timer whose vector is another source's, too."""
    if event.masked:
        return None
    return _shared(vm, memory, TIMER, event.vector, (event.vcpu,))


def _shared(
    vm: Vm,
    memory: dict[str, Any],
    source: str,
    vector: int,
    targets: tuple[int, ...],
) -> Finding | None:
    """Look when a source sends another vector than before, or to others.

    What others sent is in `memory`, by source and vector; that it is theirs no longer
    is looked up where it is programmed.
    """
    mask = sum(1 << target for target in targets)
    key = f"{source} {vector}"
    row = (source, vector, mask | memory.get(key, ("", 0, 0))[2])
    if memory.get(key) == row:
        return None
    memory[key] = row
    for other, its_vector, its_mask in list(memory.values()):
        if its_vector != vector or other == source or not its_mask & mask:
            continue
        if _has(vm, other, vector) and _has(vm, source, vector):
            text = f"vector {vector:#04x} is that of {source} and of {other}"
            place = f"{vector:#04x} {min(source, other)} {max(source, other)}"
            values = (("vector", vector),)
            return Finding("shared-vector", targets[0], place, text, values)
    return _spurious(vm, source, vector, targets[0])


def _has(vm: Vm, source: str, vector: int) -> bool:
    """Tell whether a source is still set up to send a vector."""
    pin = _pin_of(source)
    if pin is not None and vm.ioapic is not None:
        entry = pins.decode(vm.ioapic.pins[pin].entry)
        return not entry.masked and entry.vector == vector
    if source == TIMER:
        entries = [vcpu.apic.lvt_timer for vcpu in vm.vcpus]
        return any(
            not entry & LVT_MASKED and entry & LVT_VECTOR == vector for entry in entries
        )
    return True


def _spurious(vm: Vm, source: str, vector: int, number: int) -> Finding | None:
    apic = vm.vcpus[number].apic
    if not apic_state.is_enabled(apic) or apic.svr & LVT_VECTOR != vector:
        return None
    text = f"vector {vector:#04x} is that of {source} and the spurious one (SVR)"
    place = f"{vector:#04x} {source} spurious"
    return Finding("shared-vector", number, place, text, (("vector", vector),))
