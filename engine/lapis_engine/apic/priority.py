"""IRR, ISR and PPR: what is accepted, what is deliverable, what EOI ends.

Why one integer for IRR, ISR and TMR: the highest vector is `bit_length() - 1`, 29 ns
where a loop over eight words takes 160 and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import SVR_ENABLED
from lapis_engine.events import (
    EngineFault,
    Oddity,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState

LOWEST_LEGAL: Final = 16
"""Vectors 0 to 15 are illegal (SDM Vol. 3A "Valid Interrupt Vectors")."""
GRATUITOUS_EOI: Final = "gratuitous EOI"
"""Name of the oddity that an EOI with nothing in service is."""


def highest(bits: int) -> int:
    """Return the highest vector set in a 256-bit register, or -1."""
    return bits.bit_length() - 1


def vectors(bits: int) -> list[int]:
    """Return the vectors set in a 256-bit register, ascending."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


def ppr(tpr: int, isr: int) -> int:
    """Return the PPR (SDM Vol. 3A "Task and Processor Priorities").

    The whole TPR byte when its class, bits 7:4, is not below the class of the highest
    vector in service; else that class with a sub-class of 0.
    """
    in_service = max(highest(isr), 0)
    return tpr if tpr >> 4 >= in_service >> 4 else in_service & 0xF0


def update(state: ApicState) -> None:
    """Recompute the PPR: from the ISR, or from bhyve's stack where there is one."""
    if state.isrvec is None:
        state.ppr = ppr(state.tpr, state.isr)
    else:
        state.ppr = ppr(state.tpr, 1 << state.isrvec[-1] if state.isrvec else 0)


def set_tpr(state: ApicState, value: int) -> None:
    """Set the TPR, bits 7:0, and the PPR that follows from it."""
    state.tpr = value & 0xFF
    update(state)


def accept(
    state: ApicState,
    vector: int,
    level: bool,  # noqa: FBT001 - the trigger mode of the message
    source: str,
    *,
    needs_base: bool = True,
) -> VectorAccepted | VectorRefused:
    """Take a fixed interrupt into the IRR, unless the APIC is off or it is illegal.

    TMR is set before IRR, as bhyve does (`vlapic_set_intr_ready`). Without
    `needs_base` only SVR counts (profile switch disabled_apic_receives).
    """
    on = state.svr & SVR_ENABLED
    if not on or (needs_base and not apic_state.is_enabled(state)):
        why = f"the APIC is off (APICBASE {state.apicbase:#x}, SVR {state.svr:#x})"
        return VectorRefused(state.vcpu, vector, source, why)
    if vector < LOWEST_LEGAL:
        return VectorRefused(state.vcpu, vector, source, "vectors below 16 are illegal")
    mask = 1 << vector
    state.tmr = state.tmr | mask if level else state.tmr & ~mask
    state.irr |= mask
    return VectorAccepted(state.vcpu, vector, level, source)


def deliverable(state: ApicState) -> int | None:
    """Return the vector that would be delivered now: its class is above the PPR's."""
    vector = state.irr.bit_length() - 1
    return vector if vector >> 4 > state.ppr >> 4 else None


def deliver(state: ApicState) -> VectorDelivered:
    """Move the highest vector from the IRR to the ISR (`vlapic_intr_accepted`)."""
    vector = highest(state.irr)
    assert vector >> 4 > state.ppr >> 4, (vector, state.ppr)
    state.irr &= ~(1 << vector)
    state.isr |= 1 << vector
    if state.isrvec is not None:
        state.isrvec += (vector,)
    if state.isrvec_view is not None:
        state.isrvec_view += (vector,)
    update(state)
    return VectorDelivered(state.vcpu, vector, state.ppr)


def eoi(state: ApicState) -> VectorEnded | Oddity:
    """End the highest vector in service; with nothing there, say so.

    SDM Vol. 3A "Signaling Interrupt Servicing Completion".
    """
    vector = highest(state.isr)
    if vector < 0:
        return Oddity(state.vcpu, GRATUITOUS_EOI, "EOI with nothing in service")
    state.isr &= ~(1 << vector)
    if state.isrvec:
        state.isrvec = state.isrvec[:-1]
    if state.isrvec_view:
        state.isrvec_view = state.isrvec_view[:-1]
    update(state)
    level = bool(state.tmr >> vector & 1)
    return VectorEnded(state.vcpu, vector, level, state.ppr)


def stack_fault(state: ApicState) -> EngineFault | None:
    """Return the panic of bhyve's checks of `isrvec_stk`, or None.

    Before illumos 12936 and in FreeBSD the PPR is not updated without them.
    """
    text = out_of_sync(state.isrvec, state.isr)
    return None if text is None else EngineFault(state.vcpu, text)


def out_of_sync(stack: tuple[int, ...] | None, isr: int) -> str | None:
    """Say how a stack of vectors, bottom first, differs from the ISR; None if not."""
    if stack is None or stack == tuple(vectors(isr)):
        return None
    pushed = " ".join(f"{vector:#04x}" for vector in stack) or "empty"
    served = " ".join(f"{vector:#04x}" for vector in vectors(isr)) or "empty"
    return f"ISR and isrvec_stk out of sync (isrvec_stk {pushed}; ISR {served})"


def watch_isrvec(state: ApicState, *, on: bool) -> None:
    """Begin to check the ISR by a stack, which starts in agreement; or stop that."""
    state.isrvec_view = tuple(vectors(state.isr)) if on else None
