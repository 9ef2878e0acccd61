"""The model `first`: what the processor underneath says of itself.

Recordings of before there were models had it, and come to the same with it. It offers
what does not work (RDRAND, AVX's part of XCR0), and is not for new machines.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from lapis_engine.cpu.model.lapis import INTEL, LAPIS, LEAVES, vendor_leaf
from lapis_engine.cpu.model.record import CpuidLeaf, Msr
from lapis_engine.cpu.model.tables import MSRS

FIRST: Final = replace(
    LAPIS,
    name="first",
    text="that of recordings of before there were models",
    leaves=MappingProxyType(
        {
            **LEAVES,
            (0, 0): vendor_leaf(0xD, INTEL),
            (1, 0): CpuidLeaf(0x306C4, 0x800, 0xC6D8_2203, 0x078B_F9FD),
            (5, 0): CpuidLeaf(0, 0, 3),
            (0xD, 0): CpuidLeaf(7, 0x240, 0x340),
            (0xD, 2): CpuidLeaf(0x100, 0x240),
        }
    ),
    msrs=MappingProxyType({**MSRS, 0x1A0: Msr("IA32_MISC_ENABLE", 1)}),
)
