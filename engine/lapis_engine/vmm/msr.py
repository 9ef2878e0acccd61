"""The MSR space of a vCPU: who serves which number.

None means #GP(0). Numbers are those of SDM Vol. 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.apic import access as apic
from lapis_engine.apic import apicbase
from lapis_engine.apic import timer as apic_timer
from lapis_engine.cpu.layout import EFER
from lapis_engine.cpu.registers import (
    EFER_LMA,
    EFER_LME,
    EFER_NXE,
    EFER_SCE,
    FS,
    GS,
)
from lapis_engine.units import MASK64, NS

if TYPE_CHECKING:
    from lapis_engine.apic.outcome import Outcome
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu

TSC, APICBASE = 0x10, 0x1B
TSC_ADJUST = 0x3B
TSC_DEADLINE = 0x6E0
FS_BASE, GS_BASE = 0xC000_0100, 0xC000_0101
EFER_WRITABLE = EFER_SCE | EFER_LME | EFER_NXE

STORED = {
    0x17: 0,  # IA32_PLATFORM_ID
    0x3A: 1,  # IA32_FEATURE_CONTROL: locked, nothing on
    0x8B: 0,  # IA32_BIOS_SIGN_ID
    0xFE: 0x508,  # IA32_MTRRCAP: 8 variable, fixed, write-combining
    0x179: 0,  # IA32_MCG_CAP: no banks
    0x17A: 0,  # IA32_MCG_STATUS
    0x1A0: 1,  # IA32_MISC_ENABLE: fast strings
    0x2FF: 0,  # IA32_MTRR_DEF_TYPE
    **dict.fromkeys(range(0x200, 0x210), 0),  # IA32_MTRR_PHYSBASEn, PHYSMASKn
    **dict.fromkeys((0x250, 0x258, 0x259, *range(0x268, 0x270)), 0),  # fixed MTRRs
}
"""MSRs that are stored and have no effect on emulated memory, with reset values."""
READ_ONLY = {0x17, 0x3A, 0xFE, 0x179}
X2APIC_FIRST, X2APIC_LAST = 0x800, 0xBFF
"""The range that was once the x2APIC's (bhyve `x2apic_msr`); what is behind 0x8FF is
#GP."""
SERVED = frozenset({TSC, APICBASE, EFER, TSC_DEADLINE, FS_BASE, GS_BASE, *STORED})
"""MSRs that are served beside those of the x2APIC and of the processor's context."""


def is_x2apic(msr: int) -> bool:
    """Tell whether `msr` lies in the range of the x2APIC (0x800 to 0x8FF)."""
    return 0x800 <= msr <= 0x8FF


def is_known(vcpu: Vcpu, msr: int, profile: Profile) -> bool:
    """Tell whether the engine serves `msr` at all, be it with #GP(0)."""
    if msr == TSC_ADJUST:
        return profile.tsc_adjust
    reserved = X2APIC_FIRST <= msr <= X2APIC_LAST
    return reserved or msr in SERVED or msr in vcpu.regs.context.msrs


def read(vcpu: Vcpu, msr: int, now: int, tsc: int, profile: Profile) -> int | None:
    """Return the value of `msr`, or None for #GP(0)."""
    regs = vcpu.regs
    if is_x2apic(msr):
        return apic.read_msr(vcpu.apic, msr, now, profile)
    if msr == TSC_DEADLINE:
        return vcpu.apic.tsc_deadline if profile.tsc_deadline else None
    if msr == TSC:
        return (tsc + vcpu.tsc_offset) & MASK64
    if msr == TSC_ADJUST:
        return vcpu.tsc_offset & MASK64 if profile.tsc_adjust else None
    if msr == APICBASE:
        return vcpu.apic.apicbase
    if msr in {FS_BASE, GS_BASE}:
        return regs.segment(FS if msr == FS_BASE else GS).base
    if msr in regs.context.msrs:
        return int(regs.context.msrs[msr].value)
    if msr in STORED:
        return vcpu.msrs.get(msr, STORED[msr])
    return None


class Clock(NamedTuple):
    """The two clocks of an access."""

    now: int
    """Virtual time in ns."""
    tsc: int
    """Time-stamp counter of a vCPU without offset."""
    tsc_hz: int


def write(
    vcpu: Vcpu, msr: int, value: int, clock: Clock, profile: Profile
) -> Outcome | None:
    """Set `msr`; return what came of it, or None for #GP(0)."""
    if is_x2apic(msr):
        return apic.write_msr(vcpu.apic, msr, value, clock.now, profile)
    if msr == APICBASE:
        return apicbase.write(vcpu.apic, value, profile)
    if msr == TSC_DEADLINE:
        return _arm(vcpu, value, clock, profile) if profile.tsc_deadline else None
    if msr == TSC or (msr == TSC_ADJUST and profile.tsc_adjust):
        # What was added to the counter, by either, is what IA32_TSC_ADJUST holds.
        vcpu.tsc_offset = value - (clock.tsc if msr == TSC else value >> 63 << 64)
        armed = vcpu.apic.tsc_deadline
        return _arm(vcpu, armed, clock, profile) if armed else ()
    return () if _write_plain(vcpu, msr, value) else None


def _arm(vcpu: Vcpu, value: int, clock: Clock, profile: Profile) -> Outcome:
    """Write IA32_TSC_DEADLINE; one that has passed is due at once."""
    ticks = value - (clock.tsc + vcpu.tsc_offset)
    at = clock.now + max(-(-ticks * NS // clock.tsc_hz), 0)
    return apic_timer.write_tsc_deadline(vcpu.apic, value, at, profile)


def _write_plain(vcpu: Vcpu, msr: int, value: int) -> bool:
    regs = vcpu.regs
    if msr in {FS_BASE, GS_BASE}:
        if not is_canonical(value):
            return False
        regs.set_base(FS if msr == FS_BASE else GS, value)
    elif msr == EFER:
        return _write_efer(vcpu, value)
    elif msr in regs.context.msrs:
        if msr in {0xC000_0082, 0xC000_0083, 0xC000_0102, 0x175, 0x176}:
            if not is_canonical(value):
                return False
        elif msr in {0x174, 0xC000_0084, 0xC000_0103}:
            value &= 0xFFFF_FFFF
        regs.context.msrs[msr].value = value
    elif msr in STORED and msr not in READ_ONLY:
        vcpu.msrs[msr] = value
    else:
        return False
    return True


def _write_efer(vcpu: Vcpu, value: int) -> bool:
    """EFER: LMA follows, LME cannot change under paging, the rest is reserved."""
    regs = vcpu.regs
    if value & ~(EFER_WRITABLE | EFER_LMA):
        return False
    if regs.paging and (value ^ regs.efer) & EFER_LME:
        return False
    regs.efer = (value & EFER_WRITABLE) | (regs.efer & EFER_LMA)
    return True


def is_canonical(address: int) -> bool:
    """Tell whether bits 63:47 of a linear address are all alike."""
    return (address >> 47) in {0, 0x1FFFF}
