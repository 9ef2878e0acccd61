"""Why a pin of the IOAPIC sends nothing now, and whom it names.

Intel 82093AA "I/O Redirection Table Registers"; bhyve `vioapic_send_intr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.devices.device import InterruptMessage
from lapis_engine.why import recipients
from lapis_engine.why.reason import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.ioapic.pins import Pin, Redirection
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vm import Vm
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
        yield "ioapic-mask", f"{head} and is masked (bit 16)"
    if entry.level and entry.remote_irr:
        yield "remote-irr", _remote_irr(vm, head)
    elif pin.count == 0:
        yield "line", f"{head}, and nothing asserts the pin (count 0)"
    elif not entry.level:
        text = (
            f"{head}, is asserted already (count {pin.count}), and only an edge sends"
        )
        yield "edge", text


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
