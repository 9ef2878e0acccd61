"""Command words of the 8259A and the edge/level control registers.

Sources: Intel 8259A datasheet "Initialization Command Words" and "Operation Command
Words"; Intel 82371AB PIIX4 "ELCR1" and "ELCR2".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

MASTER: Final = 0x20
"""First of the two ports of the pair's first chip (IRQ 0 to 7)."""
SLAVE: Final = 0xA0
"""First of the two ports of the second chip (IRQ 8 to 15)."""
ELCR: Final = 0x4D0
"""Edge/level control, one port a chip; 1 is level."""

PORTS: Final = (Range(MASTER, 2), Range(SLAVE, 2), Range(ELCR, 2))

A0: Final = bit(0)
"""Port: the chip's address input."""

CASCADE: Final = 2
"""Input of the first chip that the second one drives."""

ELCR_WRITABLE: Final = (bits(7, 3), bits(7, 6) | bits(4, 1))
"""IRQ 0, 1, 2, 8 and 13 are always edge."""

ICW1: Final = bit(4)
"""A write with A0 = 0 is ICW1."""
LTIM: Final = bit(3)
"""ICW1: all inputs are level-triggered."""
SNGL: Final = bit(1)
"""ICW1: no cascade, and no ICW3."""
IC4: Final = bit(0)
"""ICW1: ICW4 follows."""

VECTOR_BASE: Final = bits(7, 3)
"""ICW2: upper bits of every vector."""

SFNM: Final = bit(4)
"""ICW4: special fully nested mode."""
AEOI: Final = bit(1)
"""ICW4: automatic end of interrupt."""
UPM: Final = bit(0)
"""ICW4: 8086 mode; else MCS-80."""

OCW3: Final = bit(3)
"""A write with A0 = 0, ICW1 clear: OCW3 when set, OCW2 when clear."""
R: Final = bit(7)
"""OCW2: rotate priorities."""
SL: Final = bit(6)
"""OCW2: LEVEL says which input."""
EOI: Final = bit(5)
"""OCW2: end of interrupt."""
LEVEL: Final = bits(2, 0)
"""OCW2: an input."""

ESMM: Final = bit(6)
"""OCW3: SMM is meant."""
SMM: Final = bit(5)
"""OCW3: special mask mode."""
P: Final = bit(2)
"""OCW3: the next read is a poll."""
RR: Final = bit(1)
"""OCW3: RIS is meant."""
RIS: Final = bit(0)
"""OCW3: reads with A0 = 0 give the ISR, not the IRR."""

POLL_REQUEST: Final = bit(7)
"""Poll word: there is an interrupt; its input is in [2:0]."""

SPURIOUS: Final = 7
"""Input whose vector is given when the request has gone."""

BIOS_WRITES: Final = (
    (MASTER, 0x11), (MASTER + 1, 0x08), (MASTER + 1, 0x04), (MASTER + 1, 0x01),
    (SLAVE, 0x11), (SLAVE + 1, 0x70), (SLAVE + 1, 0x02), (SLAVE + 1, 0x01),
    (MASTER + 1, 0xF8), (SLAVE + 1, 0xEE), (ELCR, 0x00), (ELCR + 1, 0x0E),
)  # fmt: skip
"""What a BIOS writes (IBM PC/AT Technical Reference "BIOS"): vectors 0x08 and 0x70, the
timer, the keyboard, the clock and the mouse not masked; levels are the lines that PCI
and the SCI are led to, 9 to 11."""

NAMES: Final = (
    *(
        name
        for chip, base in (("master", MASTER), ("slave", SLAVE))
        for name in (
            RegisterName(
                base, 1, f"{chip} ICW1/OCW", "commands: start, EOI, what is read",
                access="w",
            ),
            RegisterName(
                base, 1, f"{chip} IRR/ISR", "requested or in service, as OCW3 chose",
                access="r",
            ),
            RegisterName(
                base + 1, 1, f"{chip} IMR", "OCW1: masked inputs; or ICW2 to ICW4"
            ),
        )
    ),
    RegisterName(ELCR, 1, "ELCR1", "edge or level, IRQ 0 to 7"),
    RegisterName(ELCR + 1, 1, "ELCR2", "edge or level, IRQ 8 to 15"),
)  # fmt: skip
