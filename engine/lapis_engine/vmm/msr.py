"""The MSR space of a vCPU: who serves which number.

What is refused is #GP(0), and says which rule was broken. Numbers are those of SDM
Vol. 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.apic import access as apic
from lapis_engine.apic import apicbase
from lapis_engine.apic import state as apic_state
from lapis_engine.apic import timer as apic_timer
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.layout import EFER
from lapis_engine.cpu.model import contents
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.model.lapis import LAPIS
from lapis_engine.cpu.registers import EFER_LMA, EFER_LME, FS, GS
from lapis_engine.units import MASK64, NS

if TYPE_CHECKING:
    from lapis_engine.apic.outcome import Outcome
    from lapis_engine.cpu.model.record import CpuModel, Msr
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.vcpu import Vcpu

TSC: Final = 0x10
APICBASE: Final = 0x1B
TSC_ADJUST: Final = 0x3B
TSC_DEADLINE: Final = 0x6E0
FS_BASE: Final = 0xC000_0100
GS_BASE: Final = 0xC000_0101
X2APIC_FIRST: Final = 0x800
X2APIC_LAST: Final = 0xBFF
"""The range that was once the x2APIC's (bhyve `x2apic_msr`); what is behind 0x8FF is
#GP."""
SERVED: Final = frozenset({TSC, APICBASE, EFER, TSC_DEADLINE, FS_BASE, GS_BASE})
"""MSRs that are served beside those of the x2APIC and of the model."""
BREACHES: Final = {
    "read-only": Breach.MSR_READ_ONLY,
    "reserved": Breach.MSR_RESERVED,
    "address": Breach.MSR_ADDRESS,
    "memory-type": Breach.MSR_MEMORY_TYPE,
}


def is_x2apic(msr: int) -> bool:
    """Tell whether `msr` lies in the range of the x2APIC (0x800 to 0x8FF)."""
    return 0x800 <= msr <= 0x8FF


def is_known(msr: int, profile: Profile, model: CpuModel = LAPIS) -> bool:
    """Tell whether the engine serves `msr` at all, be it with #GP(0)."""
    if msr == TSC_ADJUST:
        return profile.tsc_adjust
    reserved = X2APIC_FIRST <= msr <= X2APIC_LAST
    return reserved or msr in SERVED or msr in model.msrs


def read(
    vcpu: Vcpu,
    msr: int,
    now: int,
    tsc: int,
    profile: Profile,
    model: CpuModel = LAPIS,
) -> int | Breach:
    """Return the value of `msr`, or why it is #GP(0)."""
    if is_x2apic(msr):
        found = apic.read_msr(vcpu.apic, msr, now, profile)
        return _x2apic_breach(vcpu) if found is None else found
    if msr == TSC_DEADLINE and profile.tsc_deadline:
        return vcpu.apic.tsc_deadline
    if msr == TSC:
        return (tsc + vcpu.tsc_offset) & MASK64
    if msr == TSC_ADJUST and profile.tsc_adjust:
        return vcpu.tsc_offset & MASK64
    if msr == APICBASE:
        return vcpu.apic.apicbase
    if msr in {FS_BASE, GS_BASE}:
        return vcpu.regs.segment(FS if msr == FS_BASE else GS).base
    if msr == EFER:
        return vcpu.regs.efer
    known = model.msrs.get(msr)
    return Breach.MSR_UNKNOWN if known is None else _kept(vcpu, msr, known)


def _kept(vcpu: Vcpu, msr: int, known: Msr) -> int:
    """Return what one of the model's holds: the processor, or the vCPU keeps it."""
    own = vcpu.regs.context.msrs.get(msr)
    return vcpu.msrs.get(msr, known.reset) if own is None else int(own.value)


def _x2apic_breach(vcpu: Vcpu) -> Breach:
    is_on = apic_state.mode(vcpu.apic) == "x2apic"
    return Breach.X2APIC_ACCESS if is_on else Breach.X2APIC_OFF


def broken_by(vcpu: Vcpu, msr: int, value: int, model: CpuModel) -> tuple[int, ...]:
    """Return what else than `msr` and `value` a refused access was refused for.

    Of the x2APIC whether it is enabled, in whichever mode; of IA32_APIC_BASE what it
    was; of IA32_EFER that, and the reserved bits; of an MSR of the model the bits that
    cannot be changed as asked.
    """
    if is_x2apic(msr):
        return (int(apic_state.mode(vcpu.apic) != "disabled"),)
    if msr == APICBASE:
        return (vcpu.apic.apicbase,)
    if msr == EFER:
        return vcpu.regs.efer, value & ~model.efer
    known = model.msrs.get(msr)
    if known is None:
        return ()
    kept = contents.stored(known, value, model.vendor)
    return ((kept ^ _kept(vcpu, msr, known)) & ~known.writable,)


class Clock(NamedTuple):
    """The two clocks of an access."""

    now: int
    """Virtual time in ns."""
    tsc: int
    """Time-stamp counter of a vCPU without offset."""
    tsc_hz: int


def write(
    vcpu: Vcpu,
    msr: int,
    value: int,
    clock: Clock,
    profile: Profile,
    model: CpuModel = LAPIS,
) -> Outcome | Breach:
    """Set `msr`; return what came of it, or why it is #GP(0)."""
    if is_x2apic(msr):
        outcome = apic.write_msr(vcpu.apic, msr, value, clock.now, profile)
        return _x2apic_breach(vcpu) if outcome is None else outcome
    if msr == APICBASE:
        outcome = apicbase.write(vcpu.apic, value, profile)
        return Breach.APICBASE if outcome is None else outcome
    if msr == TSC_DEADLINE and profile.tsc_deadline:
        return _arm(vcpu, value, clock, profile)
    if msr == TSC or (msr == TSC_ADJUST and profile.tsc_adjust):
        # What was added to the counter, by either, is what IA32_TSC_ADJUST holds.
        vcpu.tsc_offset = value - (clock.tsc if msr == TSC else value >> 63 << 64)
        armed = vcpu.apic.tsc_deadline
        return _arm(vcpu, armed, clock, profile) if armed else ()
    breach = _write_plain(vcpu, msr, value, model)
    return () if breach is None else breach


def _arm(vcpu: Vcpu, value: int, clock: Clock, profile: Profile) -> Outcome:
    """Write IA32_TSC_DEADLINE; one that has passed is due at once."""
    ticks = value - (clock.tsc + vcpu.tsc_offset)
    at = clock.now + max(-(-ticks * NS // clock.tsc_hz), 0)
    return apic_timer.write_tsc_deadline(vcpu.apic, value, at, profile)


def _write_plain(vcpu: Vcpu, msr: int, value: int, model: CpuModel) -> Breach | None:
    regs = vcpu.regs
    if msr in {FS_BASE, GS_BASE}:
        if not is_canonical(value):
            return Breach.MSR_ADDRESS
        regs.set_base(FS if msr == FS_BASE else GS, value)
        return None
    if msr == EFER:
        return _write_efer(vcpu, value, model)
    known = model.msrs.get(msr)
    if known is None:
        return Breach.MSR_UNKNOWN
    value = contents.stored(known, value, model.vendor)
    fault = contents.fault(known, _kept(vcpu, msr, known), value)
    if fault is not None:
        return BREACHES[fault]
    own = regs.context.msrs.get(msr)
    if own is None:
        vcpu.msrs[msr] = value
    else:
        own.value = value
    return None


def _write_efer(vcpu: Vcpu, value: int, model: CpuModel) -> Breach | None:
    """EFER: LMA follows, LME cannot change under paging, the rest is reserved."""
    regs = vcpu.regs
    if value & ~model.efer:
        return Breach.EFER_RESERVED
    if regs.paging and (value ^ regs.efer) & EFER_LME:
        return Breach.EFER_LME
    regs.efer = value & ~EFER_LMA | regs.efer & EFER_LMA
    return None
