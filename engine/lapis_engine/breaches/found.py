"""The rule of a fault, whatever its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches import operands, pages, privilege, segments, transfers
from lapis_engine.breaches.case import FaultCase, case, fits
from lapis_engine.breaches.undefined import undefined
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import AC_, DB, DE, GP, MF, NM, NP, PF_, SS_, TS, UD
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.quiet import QuietBus
from lapis_engine.cpu.registers import CR0_EM

if TYPE_CHECKING:
    from lapis_engine.breaches.case import Found
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.memory.physical import PhysicalMemory

BR: Final = 5
XM: Final = 19
NEED_CODE: Final = frozenset({UD, TS, NP, SS_, GP, AC_})
"""Exceptions whose rule is told by the instruction."""


def find(
    regs: Registers, linear: Linear, fault: tuple[int, int | None, int]
) -> Found | None:
    """Return the rule of a fault that needs no look at the instruction, or None.

    `fault` are its vector, error code and CR2; `regs` are as it left them.
    """
    vector, error, cr2 = fault
    if vector == PF_:
        return pages.page(linear, regs.linear_rip, error or 0, cr2)
    if vector == NM:
        is_off = regs.cr0 & CR0_EM
        return Breach.DEVICE_EM if is_off else Breach.DEVICE_TS, (regs.cr0,)
    if vector == MF:
        return Breach.X87_ERROR, (regs.context.x87.fsw, regs.context.x87.fcw)
    if vector == XM:
        return Breach.SIMD_ERROR, (regs.context.floats.mxcsr,)
    if vector == DB:
        return Breach.DEBUG, (regs.dr[6],)
    if vector == DE:
        return Breach.DIVIDE, ()
    return (Breach.BOUND, ()) if vector == BR else None


def find_by_code(
    regs: Registers,
    linear: Linear,
    memory: PhysicalMemory,
    code: bytes,
    fault: tuple[int, int | None, int],
) -> Found | None:
    """Return the rule that the instruction at the begin of `code` broke, or None."""
    vector, error, cr2 = fault
    if vector == GP and (found := operands.unreachable(regs)) is not None:
        return found
    bus = QuietBus(linear, memory)
    what = vector, -1 if error is None else error, cr2
    it = case(regs, linear, bus, code, what)
    if it is None:
        is_long = len(code) >= LONGEST and vector == GP
        return (Breach.TOO_LONG, (int.from_bytes(code, "big"),)) if is_long else None
    return _rule(it)


def _rule(it: FaultCase) -> Found | None:
    if it.vector == UD:
        return privilege.refused(it) or undefined(it)
    if it.vector == AC_:
        return operands.operand(it)
    return (
        privilege.refused(it)
        or operands.operand(it)
        or segments.loaded(it)
        or transfers.transferred(it)
        or _too_long(it)
    )


def _too_long(it: FaultCase) -> Found | None:
    """Return that it has more than 15 bytes, where prefixes take nearly all of them."""
    if not fits(it, GP) or it.at.pos < LONGEST - 3:
        return None
    return Breach.TOO_LONG, (int.from_bytes(it.code, "big"),)
