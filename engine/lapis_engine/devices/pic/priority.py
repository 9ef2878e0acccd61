"""Requests, priorities and acknowledgement of the 8259A pair.

Source: Intel 8259A datasheet "Interrupt Sequence", "Priority" and "Special Mask Mode".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import ExtIntChanged
from lapis_engine.devices.pic import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pic.state import ChipState, PicState


def set_line(state: PicState, irq: int, asserted: bool) -> Signals:  # noqa: FBT001 - the level of a pin
    """Drive ISA line `irq` (0 to 15); IRQ 2 is the cascade and goes nowhere."""
    assert 0 <= irq <= 15, irq
    if irq == regs.CASCADE:
        return ()
    chip = state.slave if irq >= 8 else state.master
    mask = 1 << (irq & 7)
    if asserted and not chip.lines & mask:
        # As bhyve: an edge is remembered even if the line falls again before INTA
        # (`vatpic_set_pinstate`); the 8259A would give the spurious vector.
        chip.edges |= mask
    chip.lines = chip.lines | mask if asserted else chip.lines & ~mask
    return settle(state)


def pending(state: PicState) -> bool:
    """Return the INTR output."""
    return _candidate(state, state.master) is not None


def peek(state: PicState) -> int | None:
    """Return the vector that `acknowledge` would give, None with INTR low."""
    irq = _candidate(state, state.master)
    if irq == regs.CASCADE:
        below = _candidate(state, state.slave)
        assert below is not None, "the slave drives the master's input 2"
        return state.slave.base + below
    return None if irq is None else state.master.base + irq


def acknowledge(state: PicState) -> int:
    """Run an INTA cycle: put the winner in service and return its vector.

    With nothing to acknowledge the vector is the master's spurious one, and nothing
    is in service. INTR has moved; ask `pending`.
    """
    # Differs from bhyve: the slave never gives its own spurious vector (IRQ 15); its
    # output is a level, so a request that is gone is gone from the master as well.
    irq = accept(state, state.master)
    if irq is None:
        vector = state.master.base + regs.SPURIOUS
    elif irq == regs.CASCADE:
        below = accept(state, state.slave)
        assert below is not None, "the slave drives the master's input 2"
        vector = state.slave.base + below
    else:
        vector = state.master.base + irq
    state.intr = pending(state)
    return vector


def accept(state: PicState, chip: ChipState) -> int | None:
    """Put the winner of one chip in service and return its input, or None."""
    irq = _candidate(state, chip)
    if irq is None:
        return None
    chip.edges &= ~(1 << irq)
    if not chip.auto_eoi:
        chip.isr |= 1 << irq
    elif chip.rotating:
        chip.lowest = irq
    return irq


def settle(state: PicState) -> Signals:
    """Signal INTR if it has moved."""
    state.settle_at = None
    intr = pending(state)
    if intr == state.intr:
        return ()
    state.intr = intr
    return (ExtIntChanged(intr),)


def requests(state: PicState, chip: ChipState) -> int:
    """Return the IRR of one chip."""
    level = 0xFF if chip.level_triggered else chip.elcr
    irr = (chip.lines & level) | (chip.edges & ~level)
    if chip is state.master and _candidate(state, state.slave) is not None:
        irr |= 1 << regs.CASCADE
    return irr


def end(chip: ChipState, irq: int | None, *, rotate: bool) -> None:
    """End service of `irq`, or with None of the highest one in service."""
    if irq is None:
        ending = chip.isr & ~chip.imr if chip.special_mask else chip.isr
        irq = next((i for i in by_priority(chip) if ending >> i & 1), None)
    if irq is not None:
        chip.isr &= ~(1 << irq)
        if rotate:
            chip.lowest = irq


def by_priority(chip: ChipState) -> tuple[int, ...]:
    """Return the eight inputs, highest priority first."""
    return tuple((chip.lowest + 1 + i) % 8 for i in range(8))


def _candidate(state: PicState, chip: ChipState) -> int | None:
    """Return the input that one chip asks the processor to serve, or None."""
    if not chip.ready:
        return None
    irr = requests(state, chip) & ~chip.imr
    if not irr:  # nearly always, and asked at every entry
        return None
    blocking = chip.isr
    if chip.special_mask:
        # Differs from bhyve: only a masked level stops blocking the others; there no
        # level in service blocks at all.
        blocking &= ~chip.imr
    cascade = 1 << regs.CASCADE
    if chip.nested and chip is state.master:
        blocking &= ~cascade
    for irq in by_priority(chip):
        if blocking >> irq & 1:
            return None
        if irr >> irq & 1:
            return irq
    return None
