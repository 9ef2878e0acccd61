"""The address size of INS and OUTS that illumos decoded wrongly until 13139."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.events import EngineFault

if TYPE_CHECKING:
    from lapis_engine.vie.ports import PortInstruction
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

LARGEST: Final = 8


def doubled(vm: Vm, vcpu: Vcpu, instruction: PortInstruction) -> PortInstruction:
    """Return the instruction with twice its address size; 16 bytes panic the host.

    # As bhyve: before illumos 13139 bits 9:7 of the VMX instruction information, n,
    became 2 << (1 + n) (profile switch inout_sizes). IN and OUT have no address.
    """
    if not instruction.string:
        return instruction
    size = 2 * instruction.addrsize
    if size > LARGEST:
        text = f"assertion failed: address size {size} of a string IN or OUT"
        vm.fault(EngineFault(vcpu.id, text))
        return instruction
    return replace(instruction, addrsize=size)
