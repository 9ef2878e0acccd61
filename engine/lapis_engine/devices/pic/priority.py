"""Requests, priorities and acknowledgement of the 8259A pair.

Source: Intel 8259A datasheet "Interrupt Sequence", "Priority" and "Special Mask Mode".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import wired
from lapis_engine.devices.device import ExtIntChanged
from lapis_engine.devices.pic import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pic.state import ChipState, PicState


def set_line(state: PicState, irq: int, asserted: bool) -> Signals:  # noqa: FBT001 - the level of a pin
    """Let one source of ISA line `irq` (0 to 15) assert it, or no longer.

    IRQ 2 is the cascade and goes nowhere.
    """
    assert 0 <= irq <= 15, irq
    if irq == regs.CASCADE:
        return ()
    # Differs from bhyve: it does not count while a chip is being initialised.
    chip, pin = (state.slave, irq - 8) if irq >= 8 else (state.master, irq)
    count, odd = wired.step(chip.counts[pin], f"ISA line {irq}", asserted=asserted)
    if odd is not None:
        return (odd,)
    fell: Signals = ()
    if count == 0 and not state.keeps_edges:
        _lose(state, chip, pin)
    elif asserted and chip.gone and not chip.counts[pin]:
        chip.gone = False  # a new request takes its place
        fell = settle(state)
    chip.counts = (*chip.counts[:pin], count, *chip.counts[pin + 1 :])
    _drive(chip, pin, high=count > 0)
    return fell + settle(state)


def _lose(state: PicState, chip: ChipState, pin: int) -> None:
    """Let a request go whose line falls before INTA: INT stays, and is spurious.

    Intel 8259A "Edge and Level Triggered Modes": the inputs must remain high until
    after the falling edge of the first INTA.
    """
    if candidate(state, chip) == pin:
        chip.gone = True
    chip.edges &= ~(1 << pin)


def _drive(chip: ChipState, pin: int, *, high: bool) -> None:
    """Give an input its level, and remember a rising edge."""
    mask = 1 << pin
    if high and not chip.lines & mask:
        chip.edges |= mask
    chip.lines = chip.lines | mask if high else chip.lines & ~mask


def _cascade(state: PicState) -> None:
    """Let the master's input 2 follow the slave's INT output."""
    high = asks(state, state.slave)
    _drive(state.master, regs.CASCADE, high=high)


def pending(state: PicState) -> bool:
    """Return the INTR output."""
    return asks(state, state.master)


def asks(state: PicState, chip: ChipState) -> bool:
    """Return the INT output of one chip."""
    return chip.gone or candidate(state, chip) is not None


def peek(state: PicState) -> int | None:
    """Return the vector that `acknowledge` would give, None with INTR low."""
    irq = candidate(state, state.master)
    if irq == regs.CASCADE:
        below = candidate(state, state.slave)
        return state.slave.base + (regs.SPURIOUS if below is None else below)
    if irq is None:
        return state.master.base + regs.SPURIOUS if state.master.gone else None
    return state.master.base + irq


def acknowledge(state: PicState) -> int:
    """Run an INTA cycle: put the winner in service and return its vector.

    A chip with nothing to serve gives its spurious vector and puts nothing in service:
    the master IRQ 7, or the slave IRQ 15 when its request has gone and left an edge
    on the master's input 2, which is then in service. INTR has moved; ask `pending`.
    """
    # Differs from bhyve: there a spurious vector too is in service
    # (`vatpic_intr_accepted`).
    chip, irq = state.master, accept(state, state.master)
    if irq == regs.CASCADE:
        chip, irq = state.slave, accept(state, state.slave)
    state.intr = pending(state)
    return chip.base + (regs.SPURIOUS if irq is None else irq)


def accept(state: PicState, chip: ChipState) -> int | None:
    """Put the winner of one chip in service and return its input, or None."""
    irq = candidate(state, chip)
    chip.gone = False
    if irq is None:
        if chip is state.slave:
            _cascade_anew(state)
        return None
    # Differs from bhyve: an input that stays high is no second edge.
    chip.edges &= ~(1 << irq)
    if not chip.auto_eoi:
        chip.isr |= 1 << irq
    elif chip.rotating:
        chip.lowest = irq
    if chip is state.slave:
        _cascade_anew(state)
    return irq


def _cascade_anew(state: PicState) -> None:
    """Let the slave's INT fall, as with every INTA, and rise for what still asks."""
    _drive(state.master, regs.CASCADE, high=False)
    _cascade(state)


def settle(state: PicState) -> Signals:
    """Signal INTR if it has moved."""
    _cascade(state)
    state.settle_at = None
    intr = pending(state)
    if intr == state.intr:
        return ()
    state.intr = intr
    return (ExtIntChanged(intr),)


def requests(chip: ChipState) -> int:
    """Return the IRR of one chip."""
    level = 0xFF if chip.level_triggered else chip.elcr
    return (chip.lines & level) | (chip.edges & ~level)


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


def candidate(state: PicState, chip: ChipState) -> int | None:
    """Return the input that one chip asks the processor to serve, or None."""
    if not chip.ready:
        return None
    irr = requests(chip) & ~chip.imr
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
