"""Task switches that an instruction makes: far JMP and CALL, and IRET with NT.

SDM Vol. 3A "Task Switching"; those of an event are part of its delivery. The processor
underneath would make them, too, and not all of it right: a fault of the new task had
the RIP of the old one, a 16-bit TSS another shape, and T was not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import descriptors, tasks
from lapis_engine.cpu.fault import DB, GuestFault
from lapis_engine.cpu.gates import TASK_GATE, Delivery, Pending
from lapis_engine.cpu.registers import EFER_LMA, TF
from lapis_engine.cpu.tasks import Way
from lapis_engine.units import MASK32
from lapis_engine.vmm import intercepted

if TYPE_CHECKING:
    from lapis_engine.vmm.vm import Run

SWITCHING: Final = tasks.AVAILABLE | tasks.NESTING | {TASK_GATE}
"""Types of descriptors that stand for a task, whether it may be entered or not."""


def by_far(run: Run, selector: int, way: Way, length: int) -> bool:
    """Do a far CALL or JMP if its selector is that of a task; tell whether.

    Raises `GuestFault`, of the old task or of the new one.
    """
    regs = run.vcpu.regs
    if regs.efer & EFER_LMA or descriptors.is_null(selector):
        return False
    d = _start(run, length)
    found = descriptors.find(regs, d.bus, selector)
    if found is None or found.high >> 8 & 0x1F not in SWITCHING:
        return False
    _switch(run, d, tasks.named_by_gate(d, found, selector), way)
    return True


def by_iret(run: Run, length: int) -> None:
    """Return to the task that is linked to this one; raise `GuestFault`."""
    d = _start(run, length)
    _switch(run, d, tasks.link(d), Way.IRET)


def _start(run: Run, length: int) -> Delivery:
    """Return what a switch starts from, which is no event but much like one."""
    regs = run.vcpu.regs
    after = regs.rip + length & MASK32
    event = Pending(0, "software", None, return_rip=after)
    return Delivery(regs, run.vcpu.linear, event)


def _switch(run: Run, d: Delivery, selector: int, way: Way) -> None:
    single = bool(d.regs.rflags & TF)
    trap = tasks.enter(d, selector, way)
    intercepted.complete(run, single=single)
    if trap and run.vcpu.event is None:
        run.vm.raise_fault(run.vcpu, GuestFault(DB))
