"""What one local APIC holds, and its values after reset and INIT.

SDM Vol. 3A "Local APIC State After Power-Up or Reset", "Local APIC State After It
Has Been Software Disabled", "x2APIC States".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import (
    BASE_ADDRESS,
    BASE_BSP,
    BASE_EN,
    BASE_EXTD,
    LVT_RESET,
    SVR_ENABLED,
    SVR_EOI_SUPPRESSED,
    VERSION_EOI_SUPPRESSION,
)

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile

DEFAULT_BASE: Final = 0xFEE0_0000
MODES: Final = ("disabled", "invalid", "xapic", "x2apic")
"""By APICBASE bits EN (11) and EXTD (10)."""


@dataclass(slots=True)
class ApicState:
    """The registers of one local APIC."""

    vcpu: int
    """Number of the vCPU, and its initial APIC id."""
    apicbase: int
    """MSR 0x1B."""
    tpr: int = 0
    ppr: int = 0
    """Kept equal to what TPR and ISR give."""
    isr: int = 0
    """256 bits."""
    tmr: int = 0
    irr: int = 0
    id: int = 0
    """The 8-bit id of xAPIC mode."""
    ldr: int = 0
    """LDR of xAPIC mode, bits 31:24."""
    dfr: int = 0xFFFF_FFFF
    svr: int = 0xFF
    esr: int = 0
    """What the last write to the ESR made visible."""
    esr_pending: int = 0
    icr: int = 0
    """64 bits: the destination is in 63:56 in xAPIC mode and 63:32 in x2APIC mode."""
    lvt_cmci: int = LVT_RESET
    lvt_timer: int = LVT_RESET
    lvt_thermal: int = LVT_RESET
    lvt_perf: int = LVT_RESET
    lvt_lint0: int = LVT_RESET
    lvt_lint1: int = LVT_RESET
    lvt_error: int = LVT_RESET
    timer_initial: int = 0
    timer_divide: int = 0
    timer_deadline: int | None = None
    """ns of virtual time at which the count reaches 0, or None when stopped."""
    tsc_deadline: int = 0
    """MSR IA32_TSC_DEADLINE, 0x6E0; 0 when not armed."""
    isrvec: tuple[int, ...] | None = None
    """bhyve's `isrvec_stk`, bottom first; None where the profile has none."""
    isrvec_view: tuple[int, ...] | None = None
    """The same stack where it only checks the ISR and gives no PPR; None when off
    (`__ISRVEC_DEBUG` of illumos after 12936)."""


def reset(vcpu: int, profile: Profile) -> ApicState:
    """Return the state after power-up: enabled by hardware, off by software."""
    base = DEFAULT_BASE | BASE_EN | (BASE_BSP if vcpu == 0 else 0)
    stack = () if profile.isrvec_stk else None
    return ApicState(vcpu, base, id=vcpu & 0xFF, isrvec=stack)


def clear(state: ApicState, *, keeps_isrvec: bool = False) -> None:
    """Give every register its power-up value, APICBASE and the id excepted."""
    stack = state.isrvec if keeps_isrvec or state.isrvec is None else ()
    fresh = ApicState(state.vcpu, state.apicbase, id=state.id, isrvec=stack)
    fresh.isrvec_view = None if state.isrvec_view is None else ()
    for each in fields(ApicState):
        setattr(state, each.name, getattr(fresh, each.name))


def init(state: ApicState, profile: Profile) -> None:
    """Apply INIT in place: as reset, but the id and the mode survive.

    SDM Vol. 3A "x2APIC States after Reset, INIT and SIPI". # As bhyve: illumos goes
    back to xAPIC (`vlapic_reset`).
    """
    if not profile.init_keeps_x2apic:
        state.apicbase = reset(state.vcpu, profile).apicbase
    clear(state, keeps_isrvec=profile.init_keeps_isrvec)


def mode(state: ApicState) -> str:
    """Return disabled, xapic or x2apic."""
    return MODES[(state.apicbase & (BASE_EN | BASE_EXTD)) >> 10]


def base(state: ApicState) -> int:
    """Return the guest-physical address of the register page."""
    return state.apicbase & BASE_ADDRESS


def apic_id(state: ApicState) -> int:
    """Return the id: 8 bits in xAPIC mode, 32 in x2APIC mode."""
    return state.vcpu if state.apicbase & BASE_EXTD else state.id


def logical_id(state: ApicState) -> int:
    """Return the LDR; in x2APIC mode it follows from the id.

    SDM Vol. 3A "Deriving Logical x2APIC ID from the Local x2APIC ID".
    """
    if state.apicbase & BASE_EXTD:
        return (state.vcpu & 0xF_FFF0) << 12 | 1 << (state.vcpu & 0xF)
    return state.ldr


def is_enabled(state: ApicState) -> bool:
    """Tell whether it is on by hardware (APICBASE.EN) and software (SVR bit 8)."""
    return bool(state.svr & SVR_ENABLED and state.apicbase & BASE_EN)


def hears(state: ApicState, profile: Profile) -> bool:
    """Tell whether interrupt messages reach it at all, whatever it makes of them."""
    return profile.disabled_apic_receives or bool(state.apicbase & BASE_EN)


def suppresses_eoi(state: ApicState, profile: Profile) -> bool:
    """Tell whether EOIs of level vectors stay with this APIC.

    SDM Vol. 3A "Directed EOI with Local APIC EOI-Broadcast Suppression".
    """
    able = profile.apic_version & VERSION_EOI_SUPPRESSION
    return bool(able and state.svr & SVR_EOI_SUPPRESSED)
