"""The local vector table: what its entries do when they fire, and local errors.

SDM Vol. 3A "Local Vector Table", "Error Handling"; bhyve `vlapic_fire_lvt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.apic.outcome import LocalInterrupt, Outcome
from lapis_engine.apic.regs import (
    ESR_RECEIVE_ILLEGAL,
    ESR_SEND_ILLEGAL,
    LVT_LEVEL,
    LVT_MASKED,
    LVT_MODE,
    LVT_REMOTE_IRR,
    LVT_VECTOR,
)
from lapis_engine.cause import Cause
from lapis_engine.events import ApicError, LvtFired

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.bits import Bits
    from lapis_engine.profiles.switches import Profile

FIXED: Final = 0
SMI: Final = 2
NMI: Final = 4
INIT: Final = 5
EXTINT: Final = 7
"""Delivery modes of an LVT entry, bits 10:8."""
MODE_NAMES: Final = {
    FIXED: "fixed",
    SMI: "smi",
    NMI: "nmi",
    INIT: "init",
    EXTINT: "extint",
}
MASKED: Final = Cause("masked", "the entry is masked")
FIXED_ONLY: Final = frozenset({"lvt_timer", "lvt_error"})
"""Entries without a delivery mode."""
ERROR_WORDS: Final = {
    5: "send illegal vector", 6: "receive illegal vector", 7: "illegal register",
}  # fmt: skip


def mode(entry: int, name: str) -> int:
    """Return the delivery mode, bits 10:8, of entry `name`."""
    return FIXED if name in FIXED_ONLY else LVT_MODE.get(entry)


def fire(state: ApicState, name: str, profile: Profile) -> Outcome:
    """Let the entry `name` (lvt_lint0, lvt_error ...) do what it says."""
    entry: int = getattr(state, name)
    what, vector = mode(entry, name), entry & LVT_VECTOR
    short, word = name.removeprefix("lvt_"), MODE_NAMES.get(what, "reserved")
    if entry & LVT_MASKED:
        return (LvtFired(state.vcpu, short, word, vector, MASKED),)
    if what == FIXED:
        fired = LvtFired(state.vcpu, short, word, vector, None)
        return (fired, *fixed(state, name, profile))
    if what in {NMI, EXTINT} or (what == INIT and profile.lvt_fires_init):
        fired = LvtFired(state.vcpu, short, word, vector, None)
        return (fired, LocalInterrupt(state.vcpu, word, short))
    # Not modelled: SMI, which has no SMM to go to.
    why = Cause("not-implemented", f"delivery mode {word} is not implemented")
    return (LvtFired(state.vcpu, short, word, vector, why),)


def fixed(state: ApicState, name: str, profile: Profile) -> Outcome:
    """Put the vector of entry `name` into the IRR, remote IRR and all."""
    entry: int = getattr(state, name)
    vector = entry & LVT_VECTOR
    if vector < priority.LOWEST_LEGAL:
        sends = profile.lvt_fire_is_send_error
        which = ESR_SEND_ILLEGAL if sends else ESR_RECEIVE_ILLEGAL
        return error(state, which, profile, fires=name != "lvt_error")
    # Only LINT0 can be level-triggered (SDM "Local Vector Table").
    level = name == "lvt_lint0" and bool(entry & LVT_LEVEL)
    if level and entry & LVT_REMOTE_IRR:
        return ()
    taken = receive(state, vector, name.removeprefix("lvt_"), profile, level=level)
    if level and state.irr >> vector & 1:
        setattr(state, name, entry | LVT_REMOTE_IRR)
    return taken


def receive(
    state: ApicState, vector: int, source: str, profile: Profile, *, level: bool = False
) -> Outcome:
    """Take an interrupt message: accept the vector, or refuse it and say so in ESR."""
    needs_base = not profile.disabled_apic_receives
    result = priority.accept(state, vector, level, source, needs_base=needs_base)
    if vector < priority.LOWEST_LEGAL and profile.receive_illegal_sets_esr:
        return (result, *error(state, ESR_RECEIVE_ILLEGAL, profile))
    return (result,)


def error(
    state: ApicState, which: Bits, profile: Profile, *, fires: bool = True
) -> Outcome:
    """Record an error and fire the error entry.

    By the SDM one that was fired waits for a write of the ESR (profile switch
    esr_write_rearms). An error entry whose own vector is illegal adds its error and
    ends there, without `fires`.
    """
    pending = state.esr_pending
    state.esr_pending |= which
    armed = fires and not (pending and profile.esr_write_rearms)
    new: Outcome = (ApicError(state.vcpu, which.lo, ERROR_WORDS[which.lo]),)
    found = () if pending & which else new
    if not armed or state.lvt_error & LVT_MASKED:
        return found
    return (*found, *fire(state, "lvt_error", profile))


def end(state: ApicState, vector: int) -> bool:
    """Clear remote IRR of LINT0 at the EOI of its vector; tell whether it was set."""
    entry = state.lvt_lint0
    if not entry & LVT_REMOTE_IRR or entry & LVT_VECTOR != vector:
        return False
    state.lvt_lint0 = entry & ~LVT_REMOTE_IRR
    return True
