"""One fault that is to be explained: the instruction, taken apart, and the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.marked import LONGEST, REGISTERS, TWO_BYTE
from lapis_engine.cpu.registers import CR0_PE, IOPL, VM
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import Cursor, read_prefixes
from lapis_engine.vie.reach import ESCAPES

if TYPE_CHECKING:
    from lapis_engine.cpu.breach import Breach
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.quiet import QuietBus
    from lapis_engine.cpu.registers import Registers

IOPL_SHIFT: Final = 12

Found = tuple["Breach", tuple[int, ...]]
"""A rule and what broke it."""


class FaultCase(NamedTuple):
    """What there is to go by."""

    regs: Registers
    linear: Linear
    bus: QuietBus
    code: bytes
    """From RIP on, up to 15 bytes."""
    vector: int
    error: int | None
    cr2: int
    at: Cursor
    """On the opcode, behind the prefixes."""
    table: int
    """1, 2 behind 0F, or 0x38 and 0x3A behind that."""
    opcode: int
    modrm: int
    """-1 where there is no byte for it."""
    modrm_at: int

    @property
    def bits(self) -> int:
        """Mode of the code segment."""
        return self.regs.code_bits

    @property
    def is_protected(self) -> bool:
        """Neither real mode nor virtual-8086 mode."""
        return bool(self.regs.cr0 & CR0_PE) and not self.regs.rflags & VM

    @property
    def is_v86(self) -> bool:
        """Virtual-8086 mode."""
        return bool(self.regs.cr0 & CR0_PE and self.regs.rflags & VM)

    @property
    def cpl(self) -> int:
        """That counts."""
        return 3 if self.is_v86 else self.regs.cpl

    @property
    def iopl(self) -> int:
        """Of RFLAGS."""
        return (self.regs.rflags & IOPL) >> IOPL_SHIFT

    @property
    def reg(self) -> int:
        """ModRM.reg without REX; -1 where there is none."""
        return -1 if self.modrm < 0 else self.modrm >> 3 & 7

    @property
    def names_register(self) -> bool:
        """ModRM names no memory."""
        return self.modrm >= REGISTERS

    @property
    def shown(self) -> int:
        """The bytes up to ModRM, as a value of a rule."""
        end = self.modrm_at + (self.modrm >= 0)
        return int.from_bytes(self.code[:end], "big")

    def source(self, skipped: int = 0, size: int = 2) -> int:
        """Return what the operand holds, of memory behind `skipped` bytes."""
        if self.names_register:
            register = self.modrm & 7 | (self.at.rex & 1) << 3
            return int(self.regs.gpr[register]) & ((1 << 8 * size) - 1)
        operand = next(reach.operands(self.regs, self.code), None)
        if operand is None:
            return 0
        place = linear_address(self.regs, self.bits, *operand) + skipped
        return self.bus.read(place, size)


def case(
    regs: Registers, linear: Linear, bus: QuietBus, code: bytes, what: tuple[int, ...]
) -> FaultCase | None:
    """Return the case, or None where not even the opcode is there.

    `what` are vector, error code, or -1 for none, and CR2.
    """
    vector, error, cr2 = what
    try:
        at = read_prefixes(code[:LONGEST], regs.code_bits)
    except IndexError:
        return None
    place, table = at.pos, 1
    if code[place] == TWO_BYTE and place + 1 < len(code):
        place, table = place + 1, 2
        if code[place] in ESCAPES and place + 1 < len(code):
            place, table = place + 1, code[place]
    modrm = code[place + 1] if place + 1 < len(code) else -1
    return FaultCase(
        regs, linear, bus, code, vector, None if error < 0 else error, cr2, at, table,
        code[place], modrm, place + 1,
    )  # fmt: skip


def fits(it: FaultCase, vector: int, error: int = 0) -> bool:
    """Tell whether the processor told of this vector and error code."""
    return it.vector == vector and (it.error or 0) == error
