"""Why a vCPU would not retire an instruction now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cause import Cause
from lapis_engine.vie import pending
from lapis_engine.vmm import arbitration, run_state

if TYPE_CHECKING:
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

ASKED: Final = Cause("asked", "it waits for an answer to its pending request")
WAITS_FOR_SIPI: Final = Cause("wait-for-sipi", "it waits for SIPI (INIT was taken)")
NEVER_STARTED: Final = Cause(
    "never-started", "it was never started and waits for INIT and SIPI"
)
HALTED: Final = Cause("halted", "it is halted and waits for an interrupt")
HALTED_FOR_GOOD: Final = Cause(
    "halted-if0", "it is halted with IF=0 and waits for NMI or INIT"
)


def why(vm: Vm, vcpu: Vcpu) -> Cause | None:
    """Return why it would not, or None when it would."""
    if vm.suspended is not None:
        text = f"the machine is suspended ({vm.suspended.text})"
        return Cause("suspended", text)
    if vm.panic is not None:
        return Cause("panicked", f"the host has panicked: {vm.panic.text}")
    if pending.pending(vcpu.vie) is not None:
        return ASKED
    if not run_state.can_run(vcpu.run_state):
        waits = vcpu.run_state & run_state.INIT
        return WAITS_FOR_SIPI if waits else NEVER_STARTED
    if vcpu.halted and not arbitration.wake_reason(vm, vcpu):
        return HALTED if vcpu.regs.interrupts else HALTED_FOR_GOOD
    return None
