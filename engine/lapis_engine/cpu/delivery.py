"""Delivery of interrupts and exceptions to the guest's handlers, in every mode.

The processor underneath is never asked to: what it would report half-way through a
delivery could not be undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import delivery_long, delivery_protected, gates, tasks
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.delivery_protected import Stack
from lapis_engine.cpu.fault import DB, DE, DF_, GP, NP, PF_, SS_, TS, GuestFault
from lapis_engine.cpu.gates import Delivery, Pending, TaskGate
from lapis_engine.cpu.registers import (
    AC,
    CR0_PE,
    CS,
    EFER_LMA,
    IF,
    RF,
    RSP,
    SS,
    TF,
)

if TYPE_CHECKING:
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.registers import Registers

__all__ = ["Pending", "TaskGate", "combine", "deliver", "deliver_all", "pending"]

CONTRIBUTORY: Final = frozenset((DE, TS, NP, SS_, GP))
PAGE_FAULTS: Final = frozenset((PF_,))
"""Classes of SDM Vol. 3A "Conditions for Generating a Double Fault"; all others, and
all events that are not exceptions, are benign."""


def deliver(regs: Registers, linear: Linear, event: Pending) -> None:
    """Enter the handler of `event`.

    Raises `GuestFault` when the delivery itself faults and `TaskGate` at a task
    gate. No register has changed then; the stack may have been written, and accessed
    bits may have been set.
    """
    d = Delivery(regs, linear, event)
    if not regs.cr0 & CR0_PE:
        _deliver_real(d)
    elif regs.efer & EFER_LMA:
        delivery_long.deliver(d)
    else:
        delivery_protected.deliver(d)


def combine(first: Pending, second: GuestFault) -> Pending | None:
    """Return what to deliver when delivering `first` raised `second`.

    None is a triple fault. SDM Vol. 3A "Interrupt 8 - Double Fault Exception (#DF)";
    a fault that does not escalate replaces the first event.
    """
    serious = CONTRIBUTORY | PAGE_FAULTS
    if first.kind == "exception":
        if first.vector == DF_ and second.vector in serious:
            return None
        double = (first.vector in CONTRIBUTORY and second.vector in CONTRIBUTORY) or (
            first.vector in PAGE_FAULTS and second.vector in serious
        )
        if double:
            pair = first.vector, second.vector
            return Pending(DF_, "exception", 0, rule=Breach.DOUBLE, values=pair)
    return pending(second)


def pending(fault: GuestFault) -> Pending:
    """Return the exception that an instruction has raised, to be delivered."""
    return Pending(
        fault.vector,
        "exception",
        fault.error,
        fault.cr2,
        rule=fault.rule,
        values=fault.values,
    )


class Attempts(NamedTuple):
    """What became of an event that was to be delivered."""

    events: tuple[Pending, ...]
    """In order; if it was no triple fault, the last of them took effect."""
    faults: tuple[GuestFault | None, ...]
    """What the delivery of each of them raised."""
    is_triple: bool


def deliver_all(regs: Registers, linear: Linear, event: Pending) -> Attempts:
    """Deliver `event`, or what becomes of it."""
    tried: list[Pending] = []
    faults: list[GuestFault | None] = []
    following: Pending | None = event
    while following is not None:
        tried.append(following)
        try:
            trap = _take(regs, linear, following)
        except GuestFault as fault:
            _keep_cr2(regs, following, fault)
            faults.append(fault)
            following = combine(following, fault)
        else:
            faults.append(None)
            if not trap:
                return Attempts(tuple(tried), tuple(faults), is_triple=False)
            following = Pending(DB, "exception", None)
    return Attempts(tuple(tried), tuple(faults), is_triple=True)


def _take(regs: Registers, linear: Linear, event: Pending) -> bool:
    """Enter the handler or the task of `event`; tell whether #DB is to follow (T)."""
    try:
        deliver(regs, linear, event)
    except TaskGate as gate:
        return tasks.enter(Delivery(regs, linear, event), gate.selector)
    return False


def _keep_cr2(regs: Registers, event: Pending, fault: GuestFault) -> None:
    """CR2 is set when a #PF is raised, even if #DF is what gets delivered."""
    if event.kind == "exception" and event.vector == PF_:
        regs.cr2 = event.cr2
    if fault.vector == PF_:
        regs.cr2 = fault.cr2


def _deliver_real(d: Delivery) -> None:
    """SDM Vol. 3B "Interrupt and Exception Handling" in real-address mode."""
    regs, at = d.regs, d.event.vector * 4
    if at + 3 > regs.idtr.limit:
        values = d.event.vector, regs.idtr.limit
        raise GuestFault(GP, rule=Breach.VECTOR_TABLE, values=values)
    target = d.bus.read(regs.idtr.base + at, 4)
    stack = Stack(regs.segment(SS), regs.gpr[RSP], user=False, error=0)
    frame = (d.flags, regs.segment(CS).selector, d.return_rip)
    pointer = delivery_protected.push(d, stack, frame, 2)
    selector = target >> 16
    # Limit and access rights stay as they are: "unreal" mode survives.
    cs = regs.segment(CS)._replace(selector=selector, base=selector << 4)
    regs.set_segment(CS, cs)
    regs.rip = target & 0xFFFF
    regs.gpr[RSP] = pointer
    regs.rflags = d.flags & ~(IF | TF | AC | RF)
    gates.finish(d)
