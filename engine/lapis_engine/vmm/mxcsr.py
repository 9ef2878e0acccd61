"""MXCSR where it is loaded and stored: what of it the processor underneath keeps apart.

SDM Vol. 1 "MXCSR Control and Status Register". QEMU 5.0 gathers the exception flags of
SSE beside the register and never shows them, lets FTZ flush the results of x87 instead
of those of SSE, and takes reserved bits. All of that is put right at the few places
where the register is seen or changed; what computes runs as fast as ever.

# Not modelled: the same where the operand is a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.cpu.fault import GP, UD, GuestFault
from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.marked import LDMXCSR, XRSTOR, XSAVEOPT
from lapis_engine.cpu.model.consistency import SSE
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import (
    CR0_EM,
    CR0_TS,
    CR4_OSFXSR,
    CR4_OSXSAVE,
    RAX,
)
from lapis_engine.cpu.x87.rounding import PE, UE
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

    Processor = Callable[[Run], HwExit]

FLAGS: Final = 0x3F
"""IE, DE, ZE, OE, UE and PE; QEMU has them at the same places."""
SHOWN: Final = FLAGS & ~2
"""QEMU raises the flag of a denormal operand for those alone that DAZ takes as 0."""
FLUSHED: Final = 0x80
"""QEMU's flag of a result that was flushed to 0: UE and PE."""
UM: Final = 0x800
FTZ: Final = 0x8000
RESERVED: Final = 0xFFFF_0000
"""What is not in MXCSR_MASK."""
PLACE: Final = 24
"""Where the image of FXRSTOR and XRSTOR has it."""
NOT_WITH: Final = frozenset({0x66, 0xF2, 0xF3})
"""Prefixes with which there is none of these instructions."""


def load(processor: Processor, run: Run, mark: Mark) -> HwExit | None:
    """LDMXCSR, FXRSTOR, XRSTOR: #GP(0) for a reserved bit, and what follows."""
    if _is_undefined(run, mark):
        return None
    value = _loaded(run, mark)
    if value is not None and value & RESERVED:
        fault = GuestFault(GP, 0, rule=Breach.MXCSR_RESERVED, values=(value,))
        run.vm.raise_fault(run.vcpu, fault)
        return None
    context = run.vcpu.regs.context
    _gather(context)
    result = processor(run)
    if isinstance(result, Budget):
        spread(context)
    return result


def store(processor: Processor, run: Run, mark: Mark) -> HwExit | None:
    """STMXCSR, FXSAVE, XSAVE, XSAVEOPT: with the exceptions that there were."""
    if _is_undefined(run, mark):
        return None
    _gather(run.vcpu.regs.context)
    return processor(run)


def _is_undefined(run: Run, mark: Mark) -> bool:
    """Raise #UD for a prefix that the processor underneath ignores."""
    code, at = mark.code, mark.opcode_at
    if not NOT_WITH & set(code[:at]) or code[at + 2] >> 3 & 7 == XSAVEOPT:
        return False
    run.vm.raise_fault(run.vcpu, GuestFault(UD))
    return True


def _gather(context: Context) -> None:
    """Put the flags that SSE has raised into MXCSR."""
    floats = context.floats
    raised = floats.sse.flags
    floats.mxcsr |= raised & SHOWN | (UE | PE if raised & FLUSHED else 0)


def spread(context: Context) -> None:
    """Have SSE do as MXCSR says. FTZ counts while underflow is masked only."""
    floats = context.floats
    floats.sse.flags = floats.mxcsr & SHOWN
    floats.sse.flushes_results = floats.mxcsr & (FTZ | UM) == FTZ | UM
    floats.x87.flushes_results = 0


def _loaded(run: Run, mark: Mark) -> int | None:
    """Return what goes into MXCSR, or None if nothing does or the processor faults."""
    regs, code, at = run.vcpu.regs, mark.code, mark.opcode_at
    digit = code[at + 2] >> 3 & 7
    needed = CR4_OSXSAVE if digit == XRSTOR else CR4_OSFXSR
    if regs.cr0 & (CR0_EM | CR0_TS) or not regs.cr4 & needed:
        return None
    if digit == XRSTOR and not regs.gpr[RAX] & regs.xcr0 & SSE:
        return None
    operand = next(reach.operands(regs, code), None)
    if operand is None:
        return None
    place = linear_address(regs, regs.code_bits, *operand)
    place += 0 if digit == LDMXCSR else PLACE
    try:
        return OpenBus(run.vcpu.linear).read(place, 4, user=regs.cpl == 3)
    except (GuestFault, LinearHole):
        return None
