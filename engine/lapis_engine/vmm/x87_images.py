"""FIP, FOP and FDP in the images of FXSAVE and XSAVE, which the processor leaves out.

SDM Vol. 1 "x87 FPU Instruction and Data (Operand) Pointers", Vol. 2A "FXSAVE". What is
there is what the unit has: FOP is always 0, as on processors of today.

# Not modelled: the same where the image is a device's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.marked import FXRSTOR, FXSAVE, XRSTOR, XSAVE, XSAVEOPT
from lapis_engine.cpu.model.consistency import X87
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import RAX
from lapis_engine.units import MASK32
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

    Handler = Callable[[Run, Mark], HwExit | None]

FOP_AT: Final = 6
FIP_AT: Final = 8
FDP_AT: Final = 16
XSTATE_BV_AT: Final = 512


def store(inner: Handler, run: Run, mark: Mark) -> HwExit | None:
    """FXSAVE, XSAVE, XSAVEOPT: with REX.W both are 64 bits, else 32 and a selector."""
    place = _image(run, mark, {FXSAVE, XSAVE, XSAVEOPT})
    result = inner(run, mark)
    if place is None or not isinstance(result, Budget):
        return result
    fpu, bus = run.vcpu.regs.context.x87, OpenBus(run.vcpu.linear)
    bus.write(place + FOP_AT, 2, fpu.fop)
    for at, offset, selector in (
        (FIP_AT, fpu.fip, fpu.fcs),
        (FDP_AT, fpu.fdp, fpu.fds),
    ):
        value = offset if _is_wide(run, mark) else offset & MASK32 | selector << 32
        bus.write(place + at, 8, value)
    return result


def load(inner: Handler, run: Run, mark: Mark) -> HwExit | None:
    """FXRSTOR and XRSTOR; an image without x87 state has cleared them."""
    place = _image(run, mark, {FXRSTOR, XRSTOR})
    try:
        found = None if place is None else _pointers(run, mark, place)
    except (GuestFault, LinearHole):
        found = None  # it faults
    result = inner(run, mark)
    if found is not None and isinstance(result, Budget):
        fpu = run.vcpu.regs.context.x87
        fpu.fop, fpu.fip, fpu.fcs, fpu.fdp, fpu.fds = found
    return result


def _pointers(run: Run, mark: Mark, place: int) -> tuple[int, ...] | None:
    """Return FOP, FIP, FCS, FDP and FDS of an image, or None if it has none."""
    bus, user = OpenBus(run.vcpu.linear), run.vcpu.regs.cpl == 3
    if mark.code[mark.opcode_at + 2] >> 3 & 7 == XRSTOR:
        state = bus.read(place + XSTATE_BV_AT, 1, user=user)
        if not state & X87:
            return None
    found = [bus.read(place + FOP_AT, 2, user=user) & 0x7FF]
    for at in (FIP_AT, FDP_AT):
        value = bus.read(place + at, 8, user=user)
        wide = _is_wide(run, mark)
        found += (value, 0) if wide else (value & MASK32, value >> 32 & 0xFFFF)
    return tuple(found)


def _image(run: Run, mark: Mark, digits: set[int]) -> int | None:
    """Return where the image is, or None if it is none, or has no x87 part."""
    regs, code = run.vcpu.regs, mark.code
    digit = code[mark.opcode_at + 2] >> 3 & 7
    if digit not in digits:
        return None
    if digit not in {FXSAVE, FXRSTOR} and not regs.gpr[RAX] & regs.xcr0 & X87:
        return None
    operand = next(reach.operands(regs, code), None)
    return None if operand is None else linear_address(regs, regs.code_bits, *operand)


def _is_wide(run: Run, mark: Mark) -> bool:
    return bool(read_prefixes(mark.code, run.vcpu.regs.code_bits).rex & 8)
