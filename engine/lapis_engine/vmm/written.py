"""What was last written to the registers that make interrupts, for those who ask why.

The registers of the APIC timers and the redirection entries of the IOAPIC: a write that
is ignored leaves nothing in the state, and the history of events has no writes. It is
no state: nothing depends on it, and no hash is over it. A checkpoint takes it along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.access import MSR_BASE
from lapis_engine.devices.ioapic import regs
from lapis_engine.frozen import record

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.devices.ioapic.state import IoapicState, PinState

KEPT: Final = 8
"""Writes to one timer, or one pin."""
SVR: Final = "svr"
LVT: Final = "lvt"
COUNT: Final = "count"
DEADLINE: Final = "deadline"
ENTRY: Final = "entry"
REGISTERS: Final = {0xF0: SVR, 0x320: LVT, 0x380: COUNT}
"""Of the timer, by offset in the APIC's page (SDM Vol. 3A "APIC Timer")."""
MSRS: Final = {
    **{MSR_BASE + (offset >> 4): name for offset, name in REGISTERS.items()},
    0x6E0: DEADLINE,
}


@record
class Written:
    """One write, by a vCPU or on its behalf."""

    what: str
    """svr, lvt, count, deadline; entry: of a pin of the IOAPIC."""
    value: int
    """As written; of an entry, what it then was."""
    before: int
    """LVT TIMER before it; of an entry, what it was."""
    was_armed: bool
    """The timer ran before it."""
    at: int
    """ns of virtual time."""
    vcpu: int
    rip: int | None
    """Where the guest wrote it; None when it was the user's hand."""


def timer(number: int) -> str:
    """Return the key of the writes to the timer of vCPU `number`."""
    return f"timer {number}"


def pin(number: int) -> str:
    """Return the key of the writes to the entry of pin `number`."""
    return f"pin {number}"


def before(state: ApicState) -> tuple[int, bool]:
    """Return what is to be known of a timer before a write to it."""
    return state.lvt_timer, state.timer_deadline is not None


def selected(state: IoapicState | None, address: int) -> tuple[int, PinState] | None:
    """Return the pin whose entry a write to the IOAPIC goes to, or None."""
    if state is None:
        return None
    number = (state.select - regs.REDIRECTION) >> 1
    if address != regs.BASE + regs.WINDOW or not 0 <= number < len(state.pins):
        return None
    return number, state.pins[number]


def kept(earlier: tuple[Written, ...], item: Written) -> tuple[Written, ...]:
    """Return the writes to one thing that are remembered, with the newest."""
    return (*earlier[1 - KEPT :], item)
