"""BMI and CMPXCHG, where the processor underneath has a result or a flag wrong.

What is wrong was found by comparing it with real processors (`tests/rigs/offered`).
SDM Vol. 2A "BLSI", "BZHI", "CMPXCHG"; Vol. 2B "PDEP".

# Not modelled: BZHI of what is no memory, with an index beyond it, has a source of 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.marked import REGISTERS
from lapis_engine.cpu.registers import CF, RAX, SF, STATUS_FLAGS, ZF
from lapis_engine.units import MASK32
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

    Processor = Callable[[Run], HwExit]

BLS: Final = 0xF3
F5: Final = 0xF5
BLSI: Final = 3
"""ModRM.reg behind BLS."""


def repair(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """Do BLSR, BLSMSK, BLSI, BZHI or PDEP, and put right what is wrong."""
    at, code = mark.opcode_at, mark.code
    first, second, opcode, modrm = code[at + 1 : at + 5]
    is_wide, extended = _extension(run, first, second)
    if opcode == F5 and not second & 3:
        return _zero_high(processor, run, mark)
    result, regs = processor(run), run.vcpu.regs
    if not isinstance(result, Budget):
        return result
    if opcode == BLS and modrm >> 3 & 7 == BLSI:
        # CF tells that the source is not 0, as ZF tells that it is.
        regs.rflags = regs.rflags & ~CF | (0 if regs.rflags & ZF else CF)
    elif opcode == F5 and not is_wide:
        regs.gpr[modrm >> 3 & 7 | extended] &= MASK32
    return result


def keep_high_half(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """CMPXCHG of a 32-bit register that is not equal: it is not written at all."""
    regs, code = run.vcpu.regs, mark.code
    found = read_prefixes(code, 64)
    place = code[mark.opcode_at + 2] & 7 | (found.rex & 1) << 3
    before = regs.gpr[place]
    result = processor(run)
    is_kept = found.opsize == 4 and place != RAX and not regs.rflags & ZF
    if isinstance(result, Budget) and is_kept:
        regs.gpr[place] = before
    return result


def _zero_high(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """BZHI: an index beyond the operand leaves all of it, and alone sets CF."""
    regs, at, code = run.vcpu.regs, mark.opcode_at, mark.code
    first, second, _, modrm = code[at + 1 : at + 5]
    is_wide, extended = _extension(run, first, second)
    size = 8 if is_wide else 4
    last, index = 8 * size - 1, int(regs.gpr[_second(run, second)]) & 0xFF
    if index < last:
        return processor(run)
    base = 8 if regs.code_bits == 64 and not first & 0x20 else 0
    source = regs.gpr[modrm & 7 | base] if modrm >= REGISTERS else None
    places = [
        linear_address(regs, regs.code_bits, segment, offset + n)
        for segment, offset in reach.operands(regs, code)
        for n in range(size)
    ]
    result = processor(run)
    if not isinstance(result, Budget):
        return result
    if source is None:
        source = _peek(run, places)
    value = int(source) & (1 << min(index, last + 1)) - 1
    regs.gpr[modrm >> 3 & 7 | extended] = value
    flags = (CF if index > last else 0) | (0 if value else ZF)
    flags |= SF if value >> last else 0
    regs.rflags = regs.rflags & ~STATUS_FLAGS | flags
    return result


def _peek(run: Run, places: list[int]) -> int:
    """Return what is at linear addresses, lowest byte first."""
    gpas = [run.vcpu.linear.peek(place) for place in places]
    data = b"".join(run.vm.memory.peek(gpa, 1) for gpa in gpas if gpa is not None)
    return int.from_bytes(data, "little")


def _extension(run: Run, first: int, second: int) -> tuple[bool, int]:
    """Return whether operands have 64 bits, and what VEX.R adds to ModRM.reg."""
    is_64 = run.vcpu.regs.code_bits == 64
    return is_64 and bool(second & 0x80), 8 if is_64 and not first & 0x80 else 0


def _second(run: Run, second: int) -> int:
    """Return the register in VEX.vvvv."""
    return ~second >> 3 & (15 if run.vcpu.regs.code_bits == 64 else 7)
