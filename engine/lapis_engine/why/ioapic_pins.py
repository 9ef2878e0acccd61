"""Why a pin of the IOAPIC sends nothing now, and whom it names.

Intel 82093AA "I/O Redirection Table Registers"; bhyve `vioapic_send_intr`.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.devices.device import InterruptMessage
from lapis_engine.devices.ioapic import pins, regs
from lapis_engine.vmm import fabric, written
from lapis_engine.why import recipients
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.ioapic.pins import Pin, Redirection
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.why.history import History
    from lapis_engine.why.recipients import Reach


def reach(machine: Machine, pin: Pin) -> Reach:
    """Return whom a pin's message reaches, and what keeps one from going out now."""
    entry, about = pin.redirection, f"ioapic pin {pin.number}"
    values = {"pin": pin.number, "entry": pin.entry, "count": pin.count}
    head = f"pin {pin.number} names {recipients.named(message(entry))}"
    own = tuple(
        blocks(rule, text, about, **values)
        for rule, text in standing(machine.vm, pin, head)
    )
    found = recipients.reach(machine, message(entry))
    return recipients.Reach(found.vcpus, own + found.reasons)


def message(entry: Redirection) -> InterruptMessage:
    """Return the message that an entry sends."""
    return InterruptMessage(
        "", entry.destination, entry.logical, entry.mode, entry.vector, entry.level
    )


def standing(vm: Vm, pin: Pin, head: str) -> Iterator[tuple[str, str]]:
    """Yield the rule and its words, after `head`, for what holds the pin's message.

    Whom it names is another question.
    """
    entry = pin.redirection
    if entry.masked:
        yield "ioapic-mask", f"{head} and is masked (bit 16){_masked_by(vm, pin)}"
    if entry.level and entry.remote_irr:
        yield "remote-irr", _remote_irr(vm, head) + _renamed(vm, pin)
    elif pin.count == 0:
        yield "line", f"{head}, and nothing asserts the pin (count 0)"
    elif not entry.level:
        text = (
            f"{head}, is asserted already (count {pin.count}), and only an edge sends"
        )
        yield "edge", text


def _renamed(vm: Vm, pin: Pin) -> str:
    """Say that the vector of an entry changed while its message was out."""
    for it in reversed(vm.writes.get(written.pin(pin.number), ())):
        was, now = pins.decode(it.before), pins.decode(it.value)
        if not was.remote_irr:
            return ""
        if was.vector != now.vector:
            return (
                f"; the message had vector {was.vector:#04x}, which the entry had "
                f"until {it.at:,} ns, and an EOI of that one no longer ends it"
            )
    return ""


def _masked_by(vm: Vm, pin: Pin) -> str:
    """Say which write masked an entry that was not, where that is known."""
    for it in reversed(vm.writes.get(written.pin(pin.number), ())):
        if pins.decode(it.value).masked and not pins.decode(it.before).masked:
            where = "by the user" if it.rip is None else f"at RIP {it.rip:#x}"
            return f" since it was written {where} at {it.at:,} ns"
    return ""


def lost_edges(machine: Machine, it: History, pin: Pin, head: str) -> Iterator[Reason]:
    """Yield the edges of a pin that came while its entry was masked, and are lost."""
    rises = it.rises.get(pin.number, ())
    if not rises or rises[-1] is not it.raised[pin.number] or _is_untouched(pin):
        return
    last = rises[-1].at
    writes = machine.vm.writes.get(written.pin(pin.number), ())
    later = [each for each in writes if each.at > last]
    entry = pins.decode(later[0].before if later else pin.entry)
    if not entry.masked or entry.level:
        return
    since = max((each.at for each in writes if each.at <= last), default=-1)
    count = len(rises) - bisect_right(rises, since, key=lambda rise: rise.at)
    often = "" if count == 1 else f" ({count} times, the last)"
    tail = "" if pin.redirection.masked else "; it was unmasked only after that"
    text = (
        f"{head}, and it rose{often} at {last:,} ns while it was masked: an edge on a "
        f"masked pin is lost{tail}"
    )
    values = {"pin": pin.number, "at": last, "count": count}
    yield blocks("edge-lost", text, f"ioapic pin {pin.number}", **values)


def _is_untouched(pin: Pin) -> bool:
    """Tell whether an entry is as after reset, and what comes at its pin no loss."""
    return pin.entry == regs.MASKED


def wrong_pin(vm: Vm, pin: Pin, head: str) -> Iterator[tuple[str, str]]:
    """Yield that ISA line 0 is not where one may look for it."""
    entry = pin.redirection
    if pin.number or vm.pic is None or entry.masked:
        return
    text = (
        f"{head}, but ISA line 0 (the 8254) is led to pin {fabric.PIN_OF_IRQ_0}: pin 0 "
        f"is INTR of the 8259 pair"
    )
    yield "isa-line-0", text


def _remote_irr(vm: Vm, head: str) -> str:
    text = (
        f"{head}, and its remote IRR (bit 14) is set: a level message is out, and no "
        f"EOI has come back"
    )
    keeping = [v for v in vm.vcpus if apic_state.suppresses_eoi(v.apic, vm.profile)]
    if not keeping:
        return text
    names = ", ".join(f"vCPU {v.id}" for v in keeping)
    return f"{text} (SVR bit 12 of {names} keeps EOIs from the IOAPIC)"
