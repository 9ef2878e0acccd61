"""The processor as the instruction emulator sees it: it carries out one instruction.

Pages of devices become memory for its length; pages of ROM become writable, and are
what they were afterwards.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_engine.vie import reach
from lapis_engine.vie.fetch import LONGEST, PAGE
from lapis_engine.vie.operands import linear_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.loan import Loan
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.checks import Operand
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


class Lending:
    """The processor for one vCPU (`vie.protocols.Processor`)."""

    __slots__ = ("_vcpu", "_vm")

    def __init__(self, vm: Vm, vcpu: Vcpu) -> None:
        """Run the instructions of `vcpu`."""
        self._vm = vm
        self._vcpu = vcpu

    def attempt(
        self, regs: Registers, holes: Mapping[int, bytes], code: bytes, /
    ) -> tuple[HwExit, Loan]:
        """Carry out the instruction `code` at RIP with memory in `holes`."""
        vm, linear = self._vm, self._vcpu.linear
        lent, roms = {}, {}
        for page, content in holes.items():
            region = vm.memory.region(page)
            if region is None:
                lent[page] = content
            else:
                roms[page] = region.read(page, PAGE)
        at = linear.peek(regs.linear_rip) or 0
        beyond = partial(reach.page_beyond, regs, code, linear)
        return vm.core.attempt(regs, lent, roms, (at, LONGEST), beyond)

    def operands(self, regs: Registers, code: bytes, /) -> list[tuple[Operand, int]]:
        """Return the memory operands of `code`, each with the gpa that it begins at."""
        found = []
        for operand in reach.operands(regs, code):
            at = linear_address(regs, regs.code_bits, *operand)
            gpa = self._vcpu.linear.peek(at)
            if gpa is not None:
                found.append((operand, gpa))
        return found

    def undo(self, before: Iterable[tuple[int, bytes]], /) -> None:
        """Put back what memory held before an attempt, in order of time."""
        for gpa, data in reversed(list(before)):
            self._vm.memory.write(gpa, data)
