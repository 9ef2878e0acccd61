"""The processor as the instruction emulator sees it: it carries out one instruction.

Pages of devices become memory for its length; pages of ROM become writable, and are
what they were afterwards.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_engine.cpu.marked import LONGEST
from lapis_engine.units import PAGE
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lapis_engine.cpu.core import Core
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.loan import Loan
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.memory.physical import PhysicalMemory
    from lapis_engine.vie.checks import Operand


class LentProcessor:
    """The processor for one vCPU (`vie.world.Lender`)."""

    __slots__ = ("_core", "_linear", "_memory")

    def __init__(self, core: Core, memory: PhysicalMemory, linear: Linear) -> None:
        """Lend `core` to the vCPU that sees `memory` as `linear`."""
        self._core, self._memory, self._linear = core, memory, linear

    def attempt(
        self, regs: Registers, holes: Mapping[int, bytes], code: bytes, /
    ) -> tuple[HwExit, Loan]:
        """Carry out the instruction `code` at RIP with memory in `holes`."""
        memory, linear = self._memory, self._linear
        lent, roms = {}, {}
        for page, content in holes.items():
            region = memory.region(page)
            if region is None:
                lent[page] = content
            else:
                roms[page] = region.read(page, PAGE)
        at = linear.peek(regs.linear_rip) or 0
        beyond = partial(reach.page_beyond, regs, code, linear)
        return self._core.attempt(regs, lent, roms, (at, LONGEST), beyond)

    def operands(self, regs: Registers, code: bytes, /) -> list[tuple[Operand, int]]:
        """Return the memory operands of `code`, each with the gpa that it begins at."""
        found = []
        for operand in reach.operands(regs, code):
            at = linear_address(regs, regs.code_bits, *operand)
            gpa = self._linear.peek(at)
            if gpa is not None:
                found.append((operand, gpa))
        return found

    def undo(self, before: Iterable[tuple[int, bytes]], /) -> None:
        """Put back what memory held before an attempt, in order of time."""
        for gpa, data in reversed(list(before)):
            self._memory.write(gpa, data)
