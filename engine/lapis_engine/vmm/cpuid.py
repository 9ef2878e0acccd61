"""CPUID on a vCPU: what its model answers, by the state of its APIC and the clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.cpu.model import leaves
from lapis_engine.cpu.model.features import REGISTERS, names
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


def ranges(vm: Vm) -> tuple[tuple[int, int], ...]:
    """Return the first and last leaf of each range that there is."""
    model, virtual = vm.cpu.model, leaves.LAST_VIRTUAL[vm.cpu.hypervisor]
    found = [(0, model.leaf(0).eax)]
    if virtual:
        found.append((leaves.VIRTUAL, virtual))
    return (*found, (leaves.EXTENDED, model.leaf(leaves.EXTENDED).eax))


def listed(vm: Vm) -> list[tuple[int, int]]:
    """Return (leaf, sub-leaf) of all that says something, in order."""
    here = [(0xB, 0), (0xB, 1), (0x15, 0), (0x16, 0), (0x1F, 0), (0x1F, 1)]
    here += [(leaves.VIRTUAL, 0), (leaves.VIRTUAL + 1, 0), (leaves.TIMING, 0)]
    known = {at for at in here if is_in_range(vm, at[0])}
    return sorted(known | set(vm.cpu.model.leaves))


def is_in_range(vm: Vm, leaf: int) -> bool:
    """Tell whether a leaf lies in one of `ranges`."""
    return any(first <= leaf <= last for first, last in ranges(vm))


def bit_names(leaf: int, sub: int, found: CpuidLeaf) -> tuple[str, ...]:
    """Return the names of the feature bits that an answer has, in order."""
    row = zip(REGISTERS, found, strict=True)
    return tuple(name for at, value in row for name in names(leaf, sub, at, value))
