"""What a strict machine checks of memory operands, before the processor does the rest.

SDM Vol. 2A "SIMD Floating-Point Exceptions" and the exception types behind it; Vol. 3A
"Limit Checking", "Type Checking". A device is checked by who emulates the access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import fault as faults
from lapis_engine.cpu import strict
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.disasm import memory_access
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.registers import CR0_EM, CR0_TS, CR4_OSFXSR
from lapis_engine.cpu.strict import POP_MODRM, RELATIVE, STRINGS, XLAT
from lapis_engine.vie import checks, implied, reach
from lapis_engine.vie.implied import OperandAccess
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.checks import Operand
    from lapis_engine.vmm.vm import Run


def check(run: Run, mark: Mark) -> None:
    """Raise #GP(0) or #SS(0) for a memory operand, if it breaks a rule."""
    regs, code, at = run.vcpu.regs, mark.code, mark.opcode_at
    operand = next(reach.operands(regs, code), None)
    if regs.code_bits != 64:
        _check_segments(regs, code, at, operand)
    if operand is None:
        return
    needed = strict.alignment(code, mark.opcode_at)
    if needed and _is_sse_on(regs):
        linear = linear_address(regs, regs.code_bits, *operand)
        modrm = code[mark.opcode_at + (3 if code[mark.opcode_at + 1] in THREE else 2)]
        if regs.code_bits == 64 and modrm & 0xC7 == RELATIVE:
            linear += strict.immediate(code, mark.opcode_at)
        if linear % needed:
            values = linear, needed
            raise GuestFault(faults.GP, 0, rule=Breach.UNALIGNED, values=values)


IMPLIED: Final = STRINGS | {XLAT}
"""What has operands, and none by ModRM."""
SELECTOR: Final = 2
"""Bytes of one, behind an offset."""
THREE: Final = (0x38, 0x3A)
"""Second opcode bytes that a third follows."""


def _check_segments(
    regs: Registers, code: bytes, at: int, operand: Operand | None
) -> None:
    """Check what is named, and what is not."""
    named = []
    found = memory_access(code, regs.code_bits)
    if operand is not None and found is not None and code[at] not in IMPLIED:
        size, write = found
        if implied.far_pointer(code, at):
            size, write = read_prefixes(code, regs.code_bits).opsize + SELECTOR, False
        named = [OperandAccess(operand, size, write)]
    others = list(implied.accesses(regs, code))
    for access in [*others, *named] if code[at] == POP_MODRM else [*named, *others]:
        checks.check(regs, access.operand, access.size, write=access.write)


def _is_sse_on(regs: Registers) -> bool:
    """Tell whether the operand is looked at at all: #UD and #NM come before."""
    return not regs.cr0 & (CR0_EM | CR0_TS) and bool(regs.cr4 & CR4_OSFXSR)
