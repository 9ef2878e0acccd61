"""Why an input of the 8259 pair that gives a vector does not give it now.

Intel 8259A datasheet "Interrupt Sequence"; bhyve `vlapic_trigger_lvt` for the way
through LINT0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import LVT_MASKED
from lapis_engine.devices.pic import priority as pic
from lapis_engine.devices.pic.regs import CASCADE
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.pic.state import ChipState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def inputs(vm: Vm, vcpu: Vcpu, vector: int) -> Iterator[Reason]:
    """Yield what keeps the 8259 input with this vector, if there is one."""
    if vm.pic is None:
        return
    for first, chip in ((0, vm.pic.master), (8, vm.pic.slave)):
        if chip.ready and chip.base <= vector < chip.base + 8:
            yield from _input(vm, vcpu, chip, first + vector - chip.base)


def _input(vm: Vm, vcpu: Vcpu, chip: ChipState, irq: int) -> Iterator[Reason]:
    assert vm.pic is not None, "the input is one of its"
    bit, vector = 1 << (irq & 7), chip.base + (irq & 7)
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
        found.append(("line", f"{head}, and it is not requested (IRR {irr:#04x})"))
    elif not found and pic.peek(vm.pic) != vector:
        text = (
            f"{head}, and another goes before it (IRR {irr:#04x}, ISR {chip.isr:#04x})"
        )
        found.append(("pic-priority", text))
    found += way(vcpu, head)
    for rule, text in found:
        yield blocks(rule, text, about, **values)


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
