"""The model `base`: x86-64-v1, the least that a 64-bit kernel may count on.

System V psABI, "Micro-architecture levels": CMOV, CX8, FPU, FXSR, MMX, OSFXSR, SCE,
SSE, SSE2.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from lapis_engine.cpu.model.lapis import (
    INTEL,
    LEAVES,
    NEWEST,
    NEWEST_EXTENDED,
    brand_leaves,
    vendor_leaf,
)
from lapis_engine.cpu.model.record import CpuidLeaf, CpuModel
from lapis_engine.cpu.model.tables import CR0, DR6, DR7, MSRS

SIGNATURE: Final = 0x6F0
"""Family 6, model 15: Intel's first 64-bit one that Linux takes for no Pentium 4."""

BASE: Final = CpuModel(
    name="base",
    text="x86-64-v1: nothing beyond SSE2",
    vendor="intel",
    leaves=MappingProxyType(
        {
            (0, 0): vendor_leaf(NEWEST, INTEL),
            (1, 0): CpuidLeaf(SIGNATURE, 0x800, 0, 0x078B_F9FD),
            **{at: LEAVES[at] for at in ((2, 0), (4, 0), (4, 1), (4, 2), (6, 0))},
            (0x8000_0000, 0): vendor_leaf(NEWEST_EXTENDED, INTEL),
            (0x8000_0001, 0): CpuidLeaf(SIGNATURE, 0, 0, 0x2010_0800),
            **brand_leaves(b"Lapis x86-64-v1"),
            (0x8000_0006, 0): CpuidLeaf(0, 0, 0x200_8140),
            (0x8000_0008, 0): LEAVES[0x8000_0008, 0],
        }
    ),
    msrs=MappingProxyType(
        {number: msr for number, msr in MSRS.items() if msr.feature != "RDTSCP"}
    ),
    cr0=CR0,
    cr4=0x7FC,  # TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT
    xcr0=0,
    efer=0xD01,
    dr6=DR6,
    dr7=DR7,
)
