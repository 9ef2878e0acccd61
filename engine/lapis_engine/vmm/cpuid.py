"""CPUID on a vCPU: what its model answers, by the state of its APIC and the clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.cpu.model import leaves
from lapis_engine.cpu.registers import CR4_OSXSAVE

if TYPE_CHECKING:
    from lapis_engine.cpu.model.record import CpuidLeaf
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def answer(vm: Vm, vcpu: Vcpu, leaf: int, sub: int) -> CpuidLeaf:
    """Return what CPUID gives on this vCPU now."""
    return leaves.answer(vm.cpu.model, leaf, sub, facts(vm, vcpu))


def facts(vm: Vm, vcpu: Vcpu) -> leaves.Facts:
    """Return what of the machine shows in CPUID."""
    mode = apic_state.mode(vcpu.apic)
    return leaves.Facts(
        apic_id=vcpu.id,
        vcpus=len(vm.vcpus),
        is_apic_on=mode != "disabled",
        has_x2apic=vm.profile.x2apic_by_guest or mode == "x2apic",
        has_deadline=vm.profile.tsc_deadline,
        has_tsc_adjust=vm.profile.tsc_adjust,
        has_osxsave=bool(vcpu.regs.cr4 & CR4_OSXSAVE),
        tsc_hz=vm.tsc_hz,
        apic_hz=vm.profile.apic_timer_hz,
        hypervisor=vm.cpu.hypervisor,
    )
