"""Registers of the 8254 and of port 0x61.

Sources: Intel 8254 datasheet "Control Word Format", "Read-Back Command"; Intel 82371AB
PIIX4 "NMISC: NMI Status and Control Register".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

HZ: Final = 1_193_182
"""Clock of all three channels."""
CHANNEL_0: Final = 0x40
"""Ports 0x40 to 0x42: the counters."""
CONTROL: Final = 0x43
"""Control word, write-only."""
NMISC: Final = 0x61
"""System control port B."""

PORTS: Final = (Range(CHANNEL_0, 4), Range(NMISC, 1))

SELECT: Final = bits(7, 6)
"""Control word: channel, or `READ_BACK`."""
ACCESS: Final = bits(5, 4)
"""Control word: which bytes the counter's port takes and gives."""
MODE: Final = bits(3, 1)
"""Control word: mode; 6 and 7 are 2 and 3."""

READ_BACK: Final = 3
"""SELECT: the read-back command."""
NO_COUNT: Final = bit(5)
"""Read-back: do NOT latch the count."""
NO_STATUS: Final = bit(4)
"""Read-back: do NOT latch the status."""
READ_BACK_FIRST: Final = bit(1)
"""Read-back: channel 0 is meant; channels 1 and 2 are the next bits."""

LATCH: Final = 0
"""ACCESS: latch the count."""
LOW: Final = 1
"""ACCESS: low byte only."""
HIGH: Final = 2
"""ACCESS: high byte only."""
BOTH: Final = 3
"""ACCESS: low byte, then high byte."""

STATUS_OUT: Final = bit(7)
"""Status: level of OUT."""
STATUS_NULL: Final = bit(6)
"""Status: the count has not reached the counter yet."""

TERMINAL_COUNT: Final = 0
ONE_SHOT: Final = 1
RATE: Final = 2
SQUARE: Final = 3
SOFTWARE_STROBE: Final = 4
HARDWARE_STROBE: Final = 5

GATE_2: Final = bit(0)
"""NMISC: gate of channel 2."""
SPEAKER: Final = bit(1)
"""NMISC: channel 2 is heard."""
NMISC_WRITABLE: Final = bits(3, 0)
"""NMISC: gate, speaker, and the two NMI masks, which have no effect."""
REFRESH: Final = bit(4)
"""NMISC: toggles with each memory refresh."""
OUT_2: Final = bit(5)
"""NMISC: OUT of channel 2."""

REFRESH_TICKS: Final = 18
"""Ticks between refreshes: 15.09 us, as the PC/AT's firmware programs channel 1."""

NAMES: Final = (
    *(
        RegisterName(CHANNEL_0 + n, 1, f"counter {n}", f"count of channel {n}: {use}")
        for n, use in enumerate(("IRQ 0", "memory refresh", "speaker"))
    ),
    RegisterName(CONTROL, 1, "control word", "channel, access and mode; read-back"),
    RegisterName(NMISC, 1, "NMISC", "port B: gate and OUT of channel 2, speaker"),
)
