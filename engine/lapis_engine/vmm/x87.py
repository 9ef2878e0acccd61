"""Sines, logarithms and remainders of x87, which the engine reckons itself.

What they are is in `cpu.x87`; here is what is asked before any instruction of x87, and
what is kept of it (SDM Vol. 1 "x87 FPU Instruction and Data (Operand) Pointers").

# Not modelled: with CR0.NE clear a pending exception asserts no FERR#, and nothing
waits for IGNNE#: the instruction is carried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import MF, GuestFault
from lapis_engine.cpu.registers import CR0_EM, CR0_NE, CR0_TS, CS
from lapis_engine.vmm import intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

SIZE: Final = 2
"""Bytes of each of them, without prefixes."""
PENDING: Final = 0x80
"""FSW.ES: an exception that is not masked."""


def perform(run: Run, mark: Mark) -> bool:
    """Do the one at RIP; False where it is #NM, which the processor raises."""
    # It loads mpmath, which few guests need.
    from lapis_engine.cpu.x87 import unit  # noqa: PLC0415

    regs = run.vcpu.regs
    if regs.cr0 & (CR0_EM | CR0_TS):
        return False
    fpu = regs.context.x87
    if fpu.fsw & PENDING and regs.cr0 & CR0_NE:
        values = fpu.fsw, fpu.fcw
        fault = GuestFault(MF, rule=Breach.X87_ERROR, values=values)
        run.vm.raise_fault(run.vcpu, fault)
        return True
    unit.carry_out(fpu, mark.code[mark.opcode_at + 1])
    fpu.fip, fpu.fcs = regs.rip, regs.selector(CS)
    intercepted.retire(run, mark.opcode_at + SIZE)
    return True
