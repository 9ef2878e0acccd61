"""The processor as the instruction emulator sees it: it carries out one instruction.

Pages of devices become memory for its length; pages of ROM become writable, and are
what they were afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.vie.fetch import LONGEST, PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.attempt import Touch
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.registers import Registers
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
        self, regs: Registers, holes: Mapping[int, bytes], /
    ) -> tuple[HwExit, list[Touch]]:
        """Carry out one instruction with memory in `holes`; say what it touched."""
        vm = self._vm
        lent, roms = {}, {}
        for page, content in holes.items():
            region = vm.memory.region(page)
            if region is None:
                lent[page] = content
            else:
                roms[page] = region.read(page, PAGE)
        code = self._vcpu.linear.peek(regs.linear_rip) or 0
        return vm.core.attempt(regs, lent, roms, (code, LONGEST))
