"""Registers of the ISA bridge that do something.

Source: Intel 82371FB/82371SB "Register Description".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range
from lapis_engine.devices.pci import RESET_CONTROL

SLOT: Final = 1

PORTS: Final = (Range(RESET_CONTROL, 1),)
"""RC, of which `devices.pci` has the bits."""

PIRQRC: Final = 0x60
"""PIRQRC[A:D], a byte each: where PIRQA# to PIRQD# go."""
PIRQS: Final = 4
NOT_ROUTED: Final = bit(7)
"""PIRQRC: it goes nowhere."""
ROUTE: Final = bits(3, 0)
"""PIRQRC: ISA line."""
ROUTABLE: Final = frozenset({3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15})
"""ISA lines that a PIRQ can go to; the other codes are reserved."""
PIRQRC_RESET: Final = 0x80
"""After reset none goes anywhere."""
PIRQRC_BIOS: Final = 0x0B0B_0A0A
"""All four as a BIOS sets them."""
