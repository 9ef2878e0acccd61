"""IA32_APIC_BASE: the modes of the APIC and the ways between them.

SDM Vol. 3A "Local APIC Status and Location", "x2APIC State Transitions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import BASE_ADDRESS, BASE_BSP, BASE_EN, BASE_EXTD
from lapis_engine.bits import bits
from lapis_engine.events import ApicModeChanged

if TYPE_CHECKING:
    from lapis_engine.apic.outcome import Outcome
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

PHYSICAL: Final = bits(39, 0)
"""MAXPHYADDR is 40, as CPUID 80000008H says; the address bits above are reserved."""
LEGAL: Final = BASE_ADDRESS & PHYSICAL | BASE_EN | BASE_EXTD | BASE_BSP
ICR_LOW: Final = bits(31, 0)


def write(state: ApicState, value: int, profile: Profile) -> Outcome | None:
    """Write APICBASE; None for #GP(0).

    SDM Vol. 3A "x2APIC State Transitions": disabled to xAPIC, xAPIC to x2APIC, any to
    disabled. # As bhyve: illumos lets the guest change EN only (`vlapic_set_apicbase`).
    # Not modelled: a page laid over RAM, which stays RAM.
    On the way to x2APIC mode the id that software wrote, the LDR and the upper half of
    the ICR are lost ("State Changes From xAPIC Mode to x2APIC Mode").
    """
    before, was = apic_state.mode(state), state.apicbase
    after = apic_state.MODES[(value & (BASE_EN | BASE_EXTD)) >> 10]
    if value & ~LEGAL or after == "invalid":
        return None
    if (value ^ was) & BASE_BSP and not profile.apicbase_bsp_writable:
        return None
    if (before, after) in {("x2apic", "xapic"), ("disabled", "x2apic")}:
        return None
    if (value ^ was) & BASE_EXTD and not profile.x2apic_by_guest:
        return None
    if (value ^ was) & BASE_ADDRESS and not profile.apicbase_relocates:
        return None
    state.apicbase = value
    if before == after:
        return ()
    if after == "disabled" and profile.apic_disable_resets:
        apic_state.clear(state)
        state.id = state.vcpu & 0xFF
    elif after == "x2apic":
        state.id, state.ldr = state.vcpu & 0xFF, 0
        state.icr &= ICR_LOW
    return (ApicModeChanged(state.vcpu, before, after, apic_state.base(state)),)
