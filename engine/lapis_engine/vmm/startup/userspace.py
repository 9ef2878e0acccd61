"""What bhyve's userspace does at the exits by which the kernel starts APs.

FreeBSD `vmexit_ipi`, `vmexit_spinup_ap`, `spinup_ap`. The machine does it at once, so
that a guest comes up under every profile; the exit stays in the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.events import Oddity, RunStateChanged
from lapis_engine.vmm import exits, run_state
from lapis_engine.vmm.startup import reset

if TYPE_CHECKING:
    from lapis_engine.vmm.exits import Exit
    from lapis_engine.vmm.vm import Vm


def concerns(out: Exit) -> bool:
    """Tell whether an exit is for bhyve's userspace, and no matter for the user."""
    if isinstance(out, exits.Wrmsr):
        return not out.waits
    return isinstance(out, (exits.SpinupAp, exits.IpiExit))


def handle(vm: Vm, out: Exit) -> None:
    """Do what userspace does.

    Of Wrmsr that is nothing: an MSR that it does not know is dropped.
    """
    match out:
        case exits.SpinupAp():
            spin_up(vm, out.vcpu, out.rip)
        case exits.IpiExit(mode="init"):
            for number in out.cpuset:
                vm.debug_cpus |= 1 << number
        case exits.IpiExit():
            for number in out.cpuset:
                spin_up(vm, number, out.vector << 12)
        case _:
            assert isinstance(out, exits.Wrmsr), out


def spin_up(vm: Vm, number: int, rip: int) -> None:
    """Start an AP in real mode at `rip`, a multiple of 4096 (`spinup_ap`)."""
    if number >= len(vm.vcpus):
        text = f"SPINUP_AP names vCPU {number}, which does not exist"
        vm.note(Oddity(-1, "SPINUP_AP lost", text))
        return
    vcpu = vm.vcpus[number]
    before = vcpu.run_state
    reset.reset(vcpu.regs)
    reset.start_at(vcpu.regs, rip >> 12)
    vcpu.active, vcpu.run_state = True, run_state.INIT | run_state.RUN
    vcpu.halted, vcpu.event = False, None
    vm.debug_cpus &= ~(1 << number)
    vm.attention.kick = True
    why = f"started by userspace at {rip:#x}"
    vm.note(RunStateChanged(number, before, vcpu.run_state, why))
