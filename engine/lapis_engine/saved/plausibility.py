"""What makes a saved APIC state implausible, and how a foreign one is made to fit.

The names of the reasons are those of bhyve's `vlapic_data_validate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import apicbase, priority, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import (
    BASE_ADDRESS,
    BASE_BSP,
    BASE_EN,
    BASE_EXTD,
    LVT_TIMER_MODE,
    TIMER_TSC_DEADLINE,
)
from lapis_engine.bits import bits
from lapis_engine.saved import lapic
from lapis_engine.saved.lapic import RecordError
from lapis_engine.units import NS

if TYPE_CHECKING:
    from collections.abc import Collection

    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.saved.lapic import LapicRecord

ESR_KNOWN: Final = bits(7, 0)
"""SDM Vol. 3A "Error Handling": 31:8 are reserved."""
SLICE: Final = 8
"""Vectors of which one at most can be in service (bhyve; the SDM has 16, a class)."""


def check(
    wanted: LapicRecord, target: ApicState, profile: Profile, *, any_id: bool = False
) -> None:
    """Raise `RecordError` with the first reason why `target` cannot have that state.

    With `any_id` the id of an xAPIC is as it may be.
    """
    _check_identity(wanted, target, profile, any_id=any_id)
    if wanted.vlp_tpr > 0xFF:
        raise RecordError("vlp_tpr", "BAD_TPR", f"{wanted.vlp_tpr:#x} is above 0xff")
    for name in ("vlp_esr", "vl_esr_pending"):
        value = getattr(wanted, name)
        if value & ~ESR_KNOWN:
            why = f"{value:#x} has bits outside 7:0, which are reserved"
            raise RecordError(name, "BAD_ESR", why)
    _check_vectors(wanted)
    _check_timer(wanted, profile)


def _check_identity(
    wanted: LapicRecord, target: ApicState, profile: Profile, *, any_id: bool
) -> None:
    if wanted.vlp_version != profile.apic_version:
        raise RecordError(
            "vlp_version", "BAD_VERSION",
            f"{wanted.vlp_version:#x}: APICs of profile {profile.name} have "
            f"{profile.apic_version:#x}",
        )  # fmt: skip
    _check_base(wanted.vl_msr_apicbase, target, profile)
    x2apic = wanted.vl_msr_apicbase & BASE_EXTD
    expected = _id(target)
    free = profile.xapic_id_writable or any_id
    free = free and not x2apic and not wanted.vlp_id & 0xFF_FFFF
    if wanted.vlp_id != expected and not free:
        raise RecordError(
            "vlp_id", "BAD_ID",
            f"{wanted.vlp_id:#x}: vCPU {target.vcpu} has {expected:#x}",
        )  # fmt: skip


def _check_base(value: int, target: ApicState, profile: Profile) -> None:
    why = ""
    if value & ~apicbase.LEGAL:
        why = f"bits {value & ~apicbase.LEGAL:#x} are reserved"
    elif value & (BASE_EN | BASE_EXTD) == BASE_EXTD:
        why = "EXTD (bit 10) without EN (bit 11) is no mode"
    elif (value ^ target.apicbase) & BASE_EXTD:
        mode = apic_state.mode(target)
        why = f"EXTD (bit 10) differs: vCPU {target.vcpu} is in mode {mode}"
    elif (value ^ target.apicbase) & BASE_BSP:
        which = "the BSP" if target.apicbase & BASE_BSP else "no BSP"
        why = f"BSP (bit 8) differs: vCPU {target.vcpu} is {which}"
    elif not profile.apicbase_relocates and (value ^ target.apicbase) & BASE_ADDRESS:
        why = (
            f"in profile {profile.name} the page stays at {apic_state.base(target):#x}"
        )
    if why:
        raise RecordError("vl_msr_apicbase", "BAD_MSR_BASE", f"{value:#x}: {why}")


def _check_vectors(wanted: LapicRecord) -> None:
    """Look for vectors that cannot be there.

    Which of the three bhyve looks at is not known; a bit below 16 is illegal in all.
    """
    for name in lapic.BANKS:
        low = getattr(wanted, name)[0] & 0xFFFF
        if low:
            vector = priority.vectors(low)[0]
            why = f"vector {vector:#04x}: vectors below 16 are illegal"
            raise RecordError(name, "LOW_VECTOR", why)
    served = lapic.bank(wanted.vlp_isr)
    for first in range(0, 256, SLICE):
        both = served >> first & 0xFF
        if both.bit_count() > 1:
            names = " and ".join(f"{first + v:#04x}" for v in priority.vectors(both))
            why = f"{names} are in service together, and neither is above the other"
            raise RecordError("vlp_isr", "ISR_PRIORITY", why)


def is_tsc_deadline(wanted: LapicRecord, profile: Profile) -> bool:
    """Tell whether LVT TIMER is in TSC-deadline mode."""
    mode = LVT_TIMER_MODE.get(wanted.vlp_lvt_timer)
    return profile.tsc_deadline and mode == TIMER_TSC_DEADLINE


def _check_timer(wanted: LapicRecord, profile: Profile) -> None:
    target = wanted.vl_timer_target
    if target and not wanted.vlp_icr_timer and not is_tsc_deadline(wanted, profile):
        raise RecordError(
            "vl_timer_target", "TIMER_MISMATCH",
            f"the timer is armed for {target} ns and vlp_icr_timer is 0",
        )  # fmt: skip


def remarks(wanted: LapicRecord) -> tuple[str, ...]:
    """Say what is odd and not refused: vectors in service of one priority class."""
    served = lapic.bank(wanted.vlp_isr)
    found = []
    for first in range(0, 256, 16):
        both = priority.vectors(served >> first & 0xFFFF)
        if len(both) > 1:
            names = " and ".join(f"{first + v:#04x}" for v in both)
            found.append(f"{names} are in service together, both of class {first >> 4}")
    return tuple(found)


def adapt(
    wanted: LapicRecord,
    target: ApicState,
    profile: Profile,
    given: Collection[str],
    *,
    any_id: bool = False,
) -> tuple[LapicRecord, tuple[str, ...]]:
    """Give a foreign record the version, the id and the BSP flag of `target`.

    With `any_id` an xAPIC keeps its id.

    Returns it with a sentence for each of the fields `given` that had to change. The
    mode is the record's: check it against `mode_of`.
    """
    base = wanted.vl_msr_apicbase & ~BASE_BSP | target.apicbase & BASE_BSP
    there = replace(target, apicbase=base)
    keeps_id = any_id and not base & BASE_EXTD and not wanted.vlp_id & 0xFF_FFFF
    fitted = replace(
        wanted,
        vlp_version=profile.apic_version,
        vlp_id=wanted.vlp_id if keeps_id else _id(there),
        vl_msr_apicbase=base,
    )
    if base & BASE_EXTD:
        fitted = replace(fitted, vlp_ldr=apic_state.logical_id(there))
    said = []
    for name in ("vlp_version", "vlp_id", "vl_msr_apicbase", "vlp_ldr"):
        before, after = getattr(wanted, name), getattr(fitted, name)
        if before != after and name in given:
            why = f"that of vCPU {target.vcpu} in profile {profile.name}"
            said.append(f"{name} {before:#x} became {after:#x}, {why}")
    return fitted, tuple(said)


def _id(target: ApicState) -> int:
    """Return the id of a vCPU as the record has it."""
    if target.apicbase & BASE_EXTD:
        return target.vcpu
    return (target.vcpu & 0xFF) << 24


def mode_of(target: ApicState, wanted: LapicRecord) -> ApicState:
    """Return `target` as it would be in the mode of `wanted`, itself unchanged."""
    extd = wanted.vl_msr_apicbase & BASE_EXTD
    return replace(target, apicbase=target.apicbase & ~BASE_EXTD | extd)


def target_of_count(
    wanted: LapicRecord, current: int, now: int, profile: Profile
) -> LapicRecord:
    """Arm the timer of a record that has the current count and no target.

    Raises `RecordError`: TIMER_MISMATCH for a count above the initial one.
    """
    if not current or is_tsc_deadline(wanted, profile):
        return replace(wanted, vl_timer_target=0)
    if current > wanted.vlp_icr_timer:
        raise RecordError(
            "timer_current", "TIMER_MISMATCH",
            f"{current:#x} is above the initial count, {wanted.vlp_icr_timer:#x}",
        )  # fmt: skip
    raw = wanted.vlp_dcr_timer
    by = timer.DIVISORS[(raw >> 1 & 4) | (raw & 3)]
    left = -(-current * by * NS // profile.apic_timer_hz)
    return replace(wanted, vl_timer_target=now + left)
