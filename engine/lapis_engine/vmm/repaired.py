"""Instructions that the processor underneath does, but not quite.

Each lets it do the instruction and puts right what it gets wrong; what that is was
found by comparing it with real processors (`tests/rigs/native_cpu`).

What is left is inside the processor underneath, and too common to be done here:

# Differs from the SDM: SSE raises no #XM, and sets DE in MXCSR for no operand.
# Differs from the SDM: RCP and RSQRT are the exact results, rounded by MXCSR.RC, take a
denormal as what it is, and set exception flags; ROUND sets PE where it shall not.
# Differs from the SDM: MIN and MAX with MXCSR.DAZ give a denormal as it is; DPPS and
DPPD of products that are all -0 give +0, and set flags of sums in another order.
# Differs from the SDM: of two NaN operands SSE takes the larger, not the first.
# Differs from the SDM: FXSAVE and XSAVE leave the bytes behind ST0 to ST7 as they are.
# Differs from the SDM: an access of which only the end is not canonical gives #PF.
# Differs from the SDM: CMPXCHG8B and CMPXCHG16B may change other flags than ZF.
# Differs from the SDM: PCMPxSTRx "equal ordered" misses what only begins at the end.
# Differs from the SDM: x87, but for the instructions of `cpu.x87`, sets no exception
flags but ZE of a division, has no stack faults, leaves FOP as it is, and of what waits
to be handled raises #MF at WAIT and FNOP alone; MMX does not, either.
# Differs from the SDM: FXAM does not tell an empty register, nor a number that is not
supported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.registers import AF, CF, OF, PF, RAX, RDX, SF, STATUS_FLAGS, ZF
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

    Processor = Callable[[Run], HwExit]

LONGEST_STRING: Final = 16
"""Bytes of an XMM register."""
BYTE_NEG: Final = 0xF6


def saturate_lengths(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """PCMPESTRI and PCMPESTRM: their lengths are EAX and EDX, or RAX and RDX.

    SDM Vol. 1 "Explicit Length": the absolute value, and at most as many as there are
    elements. QEMU takes that of the least number, and the low half of a long one: a
    negative length makes it read and write beyond all bounds.
    """
    regs = run.vcpu.regs
    bits = max(8 * read_prefixes(mark.code, regs.code_bits).opsize, 32)
    before = regs.gpr[RAX], regs.gpr[RDX]
    for register, value in zip((RAX, RDX), before, strict=True):
        length = value & (1 << bits) - 1
        if length >> (bits - 1):
            length = (1 << bits) - length
        regs.gpr[register] = min(length, LONGEST_STRING)
    result = processor(run)
    regs.gpr[RAX], regs.gpr[RDX] = before
    return result


def repeat_low_half(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """PHADD and PHSUB, all of them, of a register and itself.

    QEMU writes the low half of the result before it reads for the high one, which is
    the same when both operands are.
    """
    regs = run.vcpu.regs
    rex_b = (read_prefixes(mark.code, regs.code_bits).rex & 1) << 3
    number = mark.code[mark.opcode_at + 3] & 7
    is_xmm = 0x66 in mark.code[: mark.opcode_at]
    result = processor(run)
    if isinstance(result, Budget):
        halves = (
            regs.context.xmm(number | rex_b) if is_xmm else regs.context.mmx(number)
        )
        halves[1] = halves[0]
    return result


def put_flags_of_neg(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """LOCK NEG: the flags are those of the result (SDM Vol. 2B "NEG").

    # Not modelled: the same on what is no memory, where its flags are QEMU's.
    """
    regs, linear = run.vcpu.regs, run.vcpu.linear
    size = 1
    if mark.code[mark.opcode_at] != BYTE_NEG:
        size = read_prefixes(mark.code, regs.code_bits).opsize
    places = [
        linear_address(regs, regs.code_bits, segment, offset + n)
        for segment, offset in reach.operands(regs, mark.code)
        for n in range(size)
    ]
    result = processor(run)
    if isinstance(result, Budget):
        gpas = [linear.peek(place) for place in places]
        data = b"".join(run.vm.memory.peek(gpa, 1) for gpa in gpas if gpa is not None)
        value = int.from_bytes(data, "little")
        regs.rflags = regs.rflags & ~STATUS_FLAGS | flags_of_neg(value, 8 * size)
    return result


def flags_of_neg(value: int, bits: int) -> int:
    """Return the status flags of 0 minus something that is `value`."""
    flags = CF if value else ZF
    flags |= SF if value >> (bits - 1) else 0
    flags |= OF if value == 1 << (bits - 1) else 0
    flags |= AF if value & 0xF else 0
    return flags | (0 if (value & 0xFF).bit_count() & 1 else PF)
