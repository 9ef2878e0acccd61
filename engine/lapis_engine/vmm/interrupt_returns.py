"""IRET in protected mode and in long mode, in place of the processor's.

The processor underneath checks neither that RIP is canonical or within its segment, nor
L and D of CS. It keeps VIF and VIP, has #NP for an SS that is not present, reads the
stack of CPL 3 as a supervisor and the 32-bit one of 64-bit code below 4 GiB, and
returns to another task, and from CPL 3 to virtual-8086 mode, in its own way.
# Differs from the SDM: IRETQ at CPL 0, and IRET there in compatibility mode, are looked
# at by a strict machine alone, as to stop there takes as long as the interrupt did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu import interrupt_return
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, GuestFault
from lapis_engine.cpu.intercepts import IRET
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import EFER_LMA, NT, TF
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vmm import intercepted, task_switches

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run


def perform(run: Run, mark: Mark) -> bool:
    """Do it, or owe the guest its fault; False leaves it to the processor.

    It ends the blocking of NMIs, even if it faults (SDM Vol. 3A "Handling Multiple
    NMIs"). What is left is a stack that is a device.
    """
    vm, vcpu = run.vm, run.vcpu
    if vcpu.nmi_blocked:
        vcpu.nmi_blocked = False
        vm.core.intercept(vcpu.regs, IRET, on=False)
    try:
        _perform(run, mark)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
    except LinearHole:
        return False
    return True


def _perform(run: Run, mark: Mark) -> None:
    regs = run.vcpu.regs
    if regs.rflags & NT:
        if regs.efer & EFER_LMA:
            values = (regs.rflags,)
            raise GuestFault(GP, 0, rule=Breach.RETURN_NESTED, values=values)
        task_switches.by_iret(run, mark.opcode_at + 1)
        return
    size = read_prefixes(mark.code, regs.code_bits).opsize
    single = bool(regs.rflags & TF)
    interrupt_return.perform(regs, run.vcpu.linear, size)
    intercepted.complete(run, single=single)
