"""CPUID: what the processor underneath can do, less what a vCPU must not claim.

SDM Vol. 2A "CPUID". The processor itself answers first, so that the guest uses only
what runs; topology and the APIC bits are then ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.cpu.registers import RAX, RBX, RCX, RDX

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu

ECX_MONITOR, ECX_VMX, ECX_X2APIC, ECX_TSC_DEADLINE = 1 << 3, 1 << 5, 1 << 21, 1 << 24
ECX_OSXSAVE = 1 << 27
EDX_APIC = 1 << 9
EDX_HTT = 1 << 28
EXT_ECX_SVM = 1 << 2


def patch(vcpu: Vcpu, leaf: int, vcpus: int, profile: Profile) -> None:
    """Correct the answer to CPUID `leaf` that stands in EAX to EDX."""
    gpr = vcpu.regs.gpr
    apic_id = vcpu.id
    if leaf == 1:
        gpr[RBX] = (gpr[RBX] & 0xFFFF) | (min(vcpus, 255) << 16) | (apic_id << 24)
        gpr[RCX] &= ~(ECX_MONITOR | ECX_VMX | ECX_X2APIC | ECX_TSC_DEADLINE)
        mode = apic_state.mode(vcpu.apic)
        if profile.x2apic_by_guest or mode == "x2apic":
            gpr[RCX] |= ECX_X2APIC
        gpr[RCX] |= ECX_TSC_DEADLINE if profile.tsc_deadline else 0
        gpr[RDX] &= ~(EDX_APIC | EDX_HTT)
        gpr[RDX] |= EDX_HTT if vcpus > 1 else 0
        gpr[RDX] |= EDX_APIC if mode != "disabled" else 0
    elif leaf == 0xB:
        _topology(vcpu, gpr[RCX] & 0xFF, vcpus)
    elif leaf == 0x8000_0001:
        gpr[RCX] &= ~EXT_ECX_SVM
        if apic_state.mode(vcpu.apic) == "disabled":
            gpr[RDX] &= ~EDX_APIC


def _topology(vcpu: Vcpu, level: int, vcpus: int) -> None:
    """Leaf 0BH: every vCPU is a core of its own in one package."""
    gpr = vcpu.regs.gpr
    shift = max(vcpus - 1, 1).bit_length()
    answers = {0: (0, 1, 0x100), 1: (shift, vcpus, 0x201)}
    eax, ebx, ecx = answers.get(level, (0, 0, level))
    gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX] = eax, ebx, ecx, vcpu.id
