"""Interrupt pins of PCI to ISA lines.

Each pin of a slot is one of PIRQA# to PIRQD#, one further on with each slot, as the
board is wired (QEMU `pci_slot_get_pirq`); where a PIRQ goes PIRQRC says.

Source: Intel 82371FB/82371SB "PIRQRC[A:D]".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import wired
from lapis_engine.devices.device import IntxChanged, LineChanged
from lapis_engine.devices.piix3 import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.piix3.state import Piix3State


def pirq(slot: int, pin: int) -> int:
    """Return which PIRQ pin 1 to 4 of a slot is, 0 to 3."""
    return (slot - regs.SLOT + pin - 1) % regs.PIRQS


def line(state: Piix3State, number: int) -> int | None:
    """Return the ISA line that PIRQ `number` is routed to, or None."""
    route = state.config[regs.PIRQRC + number]
    if route & regs.NOT_ROUTED:
        return None
    # Differs from QEMU: reserved codes go nowhere, not to lines 0, 1, 2, 8 and 13.
    irq = regs.ROUTE.get(route)
    return irq if irq in regs.ROUTABLE else None


def route(state: Piix3State, moved: LineChanged | IntxChanged) -> Signals:
    """Let an interrupt pin have moved, of which every function has its own."""
    if not isinstance(moved, IntxChanged):
        return ()
    return intx(state, moved.slot, moved.pin, asserted=moved.asserted)


def holds(state: Piix3State) -> tuple[LineChanged, ...]:
    """Return the lines that PIRQs hold up."""
    return tuple(
        LineChanged(irq, asserted=True) for irq in state.held if irq is not None
    )


def intx(state: Piix3State, slot: int, pin: int, *, asserted: bool) -> Signals:
    """Count pin 1 to 4 of a slot in or out; return how ISA lines move."""
    number = pirq(slot, pin)
    name = f"PIRQ{'ABCD'[number]}#"
    counts = list(state.asserted)
    counts[number], oddity = wired.step(counts[number], name, asserted=asserted)
    state.asserted = tuple(counts)
    odd: Signals = () if oddity is None else (oddity,)
    return odd + settle(state)


def settle(state: Piix3State) -> Signals:
    """Have every PIRQ hold up the line that it goes to, and no other.

    Lines count who holds them up, so two may go to one.
    """
    wanted = tuple(
        line(state, number) if state.asserted[number] else None
        for number in range(regs.PIRQS)
    )
    moved = [
        pair for pair in zip(state.held, wanted, strict=True) if pair[0] != pair[1]
    ]
    state.held = wanted
    falls = tuple(
        LineChanged(old, asserted=False) for old, _ in moved if old is not None
    )
    return falls + tuple(
        LineChanged(new, asserted=True) for _, new in moved if new is not None
    )
