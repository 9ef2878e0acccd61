"""What led to a shutdown: the exceptions of which none could be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.explain.moments import moment
from lapis_engine.why import fault
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

TRIPLE: Final = "triple-fault"


def shutdown(machine: Machine, it: Vcpu) -> Reason | None:
    """Return the chain of a triple fault that has stopped all of it, or None."""
    suspended = machine.vm.suspended
    if suspended is None or suspended.how != TRIPLE:
        return None
    number, idt = suspended.source, machine.vcpu(suspended.source).regs.idtr
    found = fault.shutdown(machine)
    who = "it" if number == it.id else f"vCPU {number}"
    chain = "its exceptions are no longer known" if found is None else found.text
    text = (
        f"{who} met a triple fault at {moment(suspended.when)}: {chain} "
        f"(IDT at {idt.base:#x}, limit {idt.limit:#x})"
    )
    return blocks(
        TRIPLE, text, f"vcpu {number}", at=suspended.when, idt=idt.base,
        limit=idt.limit,
    )  # fmt: skip
