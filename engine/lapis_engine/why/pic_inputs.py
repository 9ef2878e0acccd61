"""Why an input of the 8259 pair that gives a vector does not give it now.

Intel 8259A datasheet "Interrupt Sequence"; bhyve `vlapic_trigger_lvt` for the way
through LINT0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import LVT_MASKED
from lapis_engine.devices.pic import priority as pic
from lapis_engine.devices.pic.regs import CASCADE, SPURIOUS
from lapis_engine.events import ExtIntDelivered
from lapis_engine.vmm import fabric
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.pic.state import ChipState, PicState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.why.history import History

ICW2: Final = 2
"""The word that says what vector input 0 has, as `ChipState.expected` has it."""


def inputs(vm: Vm, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    """Yield what keeps the 8259 input with this vector, if there is one."""
    if vm.pic is None:
        return
    for first, chip in ((0, vm.pic.master), (8, vm.pic.slave)):
        if not chip.base <= it.vector < chip.base + 8:
            continue
        irq = first + it.vector - chip.base
        if chip.ready:
            if vm.ioapic is not None:  # which tells when a line rises
                yield from _was_spurious(chip, it, irq)
            yield from _input(vm, vcpu, chip, it, irq)
        elif chip.expected and ICW2 not in chip.expected:
            words = " and ".join(f"ICW{word}" for word in chip.expected)
            text = (
                f"IRQ {irq} of the 8259 pair has it, and the chip still waits for "
                f"{words}: it requests nothing before"
            )
            yield blocks("pic-not-ready", text, f"8259 irq {irq}", irq=irq)


def asleep(vm: Vm) -> Iterator[Reason]:
    """Yield that a line is up at a pair that nobody has initialised."""
    if vm.pic is None:
        return
    for first, chip in ((0, vm.pic.master), (8, vm.pic.slave)):
        held = [first + pin for pin, count in enumerate(chip.counts) if count]
        if held and not chip.ready and not chip.expected:
            names = ", ".join(f"IRQ {irq}" for irq in held)
            text = (
                f"{names} of the 8259 pair is asserted, and the chip has not been "
                f"initialised (ICW1 to ICW4): it requests nothing before"
            )
            yield blocks("pic-not-ready", text, f"8259 irq {held[0]}", irq=held[0])


def spurious(vm: Vm) -> Reason | None:
    """Return that the next INTA finds nothing to serve, or None where it does.

    Intel 8259A datasheet "Interrupt Sequence".
    """
    assert vm.pic is not None, "its vector is asked about"
    irq = pic.candidate(vm.pic, vm.pic.master)
    if irq == CASCADE:
        if pic.candidate(vm.pic, vm.pic.slave) is not None:
            return None
        irq, tail = 15, "its ISR bit 7 stays 0, and only the master wants an EOI"
    elif irq is None:
        irq, tail = SPURIOUS, "its ISR bit 7 stays 0, and no EOI is to follow"
    else:
        return None
    text = f"it is the spurious IRQ {irq}: the 8259 has nothing to serve; {tail}"
    return allows("pic-spurious", text, f"8259 irq {irq}", irq=irq)


def _was_spurious(chip: ChipState, it: History, irq: int) -> Iterator[Reason]:
    """Yield that the last one delivered was spurious: its line had not risen."""
    came = [e for e in it.own if isinstance(e.event, ExtIntDelivered)]
    if irq & 7 != SPURIOUS or not came or chip.isr >> SPURIOUS & 1:
        return
    rose = it.raised.get(irq)
    before = came[-2].seq if len(came) > 1 else -1
    if rose is not None and before < rose.seq < came[-1].seq:
        return
    text = (
        f"IRQ {irq} of the 8259 pair was spurious at {came[-1].at:,} ns: its line had "
        f"not risen, INTA found nothing to serve, and its ISR bit 7 is 0"
    )
    yield allows("pic-spurious", text, f"8259 irq {irq}", irq=irq, at=came[-1].at)


def _input(
    vm: Vm, vcpu: Vcpu, chip: ChipState, it: History, irq: int
) -> Iterator[Reason]:
    assert vm.pic is not None, "the input is one of its"
    bit = 1 << (irq & 7)
    head, about = f"IRQ {irq} of the 8259 pair has it", f"8259 irq {irq}"
    irr = pic.requests(chip)
    values = {"irq": irq, "irr": irr, "isr": chip.isr, "imr": chip.imr}
    found = []
    if chip.imr & bit:
        found.append(("pic-mask", f"{head} and is masked (IMR {chip.imr:#04x})"))
    if irq >= 8 and vm.pic.master.imr >> CASCADE & 1:
        text = f"{head}, and the master masks input 2 (IMR {vm.pic.master.imr:#04x})"
        found.append(("pic-mask", text))
    if not irr & bit:
        fell = None if vm.pic.keeps_edges else _fell(it, irq, head)
        found += _no_request(chip, irq, head, fell)
    elif not found:
        found += _not_first(vm.pic, chip, irq, head)
    found += way(vcpu, head)
    for rule, text in found:
        yield blocks(rule, text, about, **values)


def _fell(it: History, irq: int, head: str) -> str | None:
    """Say of a line that is down that it fell before INTA; None where it did not.

    Intel 8259A "Edge and Level Triggered Modes".
    """
    pin = fabric.pin_of(irq)
    rose = None if pin is None else it.raised.get(pin)
    taken = it.last(ExtIntDelivered)
    if rose is None or (taken is not None and taken.seq > rose.seq):
        return None
    return (
        f"{head}, and its line rose at {rose.at:,} ns and fell before INTA, which "
        f"takes the request back"
    )


def _no_request(
    chip: ChipState, irq: int, head: str, fell: str | None
) -> Iterator[tuple[str, str]]:
    bit, irr = 1 << (irq & 7), pic.requests(chip)
    if chip.isr & bit:
        text = (
            f"{head}, and it is in service there (ISR {chip.isr:#04x}): no EOI (OCW2) "
            f"has come"
        )
        yield "pic-in-service", text
    elif chip.lines & bit:
        text = (
            f"{head}, and its line is up already: it is edge-triggered (ELCR "
            f"{chip.elcr:#04x}), and only a rise requests"
        )
        yield "pic-edge", text
    elif fell is not None:
        yield "pic-fell", fell
    else:
        yield "line", f"{head}, and it is not requested (IRR {irr:#04x})"


def _not_first(
    state: PicState, chip: ChipState, irq: int, head: str
) -> Iterator[tuple[str, str]]:
    """Yield what goes before an input that requests."""
    if pic.peek(state) == chip.base + (irq & 7):
        return
    way = [(chip, irq & 7)]
    if chip is state.slave:
        way.append((state.master, CASCADE))
    for each, pin in way:
        served = _served_before(each, pin)
        if served is not None:
            number = served + (8 if each is state.slave else 0)
            text = (
                f"{head}, and IRQ {number} is in service (ISR {each.isr:#04x}): until "
                f"its EOI (OCW2) neither it nor any of lower priority is requested"
            )
            yield "pic-in-service", text
            return
    irr = pic.requests(chip)
    text = f"{head}, and another goes before it (IRR {irr:#04x}, ISR {chip.isr:#04x})"
    yield "pic-priority", text


def _served_before(chip: ChipState, pin: int) -> int | None:
    """Return the input in service that keeps `pin` from being requested, or None."""
    serving = chip.isr & ~chip.imr if chip.special_mask else chip.isr
    for each in pic.by_priority(chip):
        if serving >> each & 1:
            return each
        if each == pin:
            return None
    return None


def way(vcpu: Vcpu, head: str) -> Iterator[tuple[str, str]]:
    """Yield the rule and its words when INTR does not get through to this vCPU."""
    apic, entry = vcpu.apic, vcpu.apic.lvt_lint0
    if not apic_state.is_enabled(apic):
        if vcpu.id:
            yield "lint0", f"{head}, but with its APIC off only the BSP takes INTR"
    elif entry & LVT_MASKED:
        yield "lint0", f"{head}, but LVT lint0 ({entry:#x}) is masked (bit 16)"
    elif lvt.mode(entry, "lvt_lint0") != lvt.EXTINT:
        yield "lint0", f"{head}, but LVT lint0 ({entry:#x}) is not ExtINT"
