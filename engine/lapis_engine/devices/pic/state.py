"""What the 8259A pair remembers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ChipState:
    """One 8259A; the defaults are a chip that has not been initialised."""

    ready: bool = False
    """The initialisation sequence is complete; until then nothing is requested."""
    counts: tuple[int, ...] = (0,) * 8
    """How many sources hold each input asserted, 32 bits."""
    lines: int = 0
    """Levels of the inputs, [7:0]; on the master the slave drives input 2."""
    edges: int = 0
    """Inputs that have risen and have not been acknowledged, [7:0]."""
    elcr: int = 0
    """Level-triggered inputs, [7:0]."""
    level_triggered: bool = False
    """ICW1 LTIM."""
    isr: int = 0
    """In-service register."""
    imr: int = 0
    """Interrupt mask register (OCW1)."""
    base: int = 0
    """ICW2: vector of input 0."""
    lowest: int = 7
    """Input of lowest priority; the next one, cyclically, is the highest."""
    auto_eoi: bool = False
    """ICW4 AEOI."""
    nested: bool = False
    """ICW4 SFNM: special fully nested mode."""
    rotating: bool = False
    """Priorities rotate at each automatic EOI."""
    special_mask: bool = False
    """OCW3 SMM."""
    read_isr: bool = False
    """Reads with A0 = 0 give the ISR."""
    poll: bool = False
    """The next read is a poll."""
    gone: bool = False
    """A request has gone before INTA; INT stays up, and INTA gives the spurious one."""
    expected: tuple[int, ...] = ()
    """Initialisation command words still to come (2, 3, 4)."""


@dataclass(slots=True)
class PicState:
    """Both chips; the reset values are the defaults."""

    modes_checked: bool = False
    """Modes that are not modelled are refused, and not taken for others."""
    keeps_edges: bool = True
    """An edge is remembered though its line has fallen, as in bhyve."""
    master: ChipState = field(default_factory=ChipState)
    """IRQ 0 to 7."""
    slave: ChipState = field(default_factory=ChipState)
    """IRQ 8 to 15, wired to input 2 of the master."""
    intr: bool = False
    """INTR output as last signalled."""
    settle_at: int | None = None
    """When INTR follows a poll, ns."""
