"""The model `lapis`: all that the processor underneath does right and we model.

The processor is that of Unicorn 2.1.4, which goes by Intel's Haswell. Of its bits there
are left out RDRAND (two runs would differ), MONITOR, and of XSAVE all but x87 and SSE.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from lapis_engine.cpu.model.record import CpuidLeaf, CpuModel
from lapis_engine.cpu.model.tables import CR0, DR6, DR7, MSRS

NEWEST: Final = 0x1F
"""Highest basic leaf, and the highest extended one."""
NEWEST_EXTENDED: Final = 0x8000_0008
INTEL: Final = b"GenuineIntel"
BRAND: Final = b"Intel Core Processor (Haswell)"
XSAVE_BYTES: Final = 0x240
"""Legacy region and header, and no other component (SDM Vol. 1 "XSAVE Area")."""


def vendor_leaf(newest: int, vendor: bytes) -> CpuidLeaf:
    """Return leaf 0 or 80000000H: EBX, EDX, ECX hold the name of the vendor."""
    words = [int.from_bytes(vendor[at : at + 4], "little") for at in (0, 4, 8)]
    return CpuidLeaf(newest, words[0], words[2], words[1])


def brand_leaves(text: bytes) -> dict[tuple[int, int], CpuidLeaf]:
    """Return leaves 80000002H to 80000004H, 48 bytes of text."""
    padded = text.ljust(48, b"\0")
    words = [int.from_bytes(padded[at : at + 4], "little") for at in range(0, 48, 4)]
    return {
        (0x8000_0002 + n, 0): CpuidLeaf(*words[4 * n : 4 * n + 4]) for n in range(3)
    }


LEAVES: Final[dict[tuple[int, int], CpuidLeaf]] = {
    (0, 0): vendor_leaf(NEWEST, INTEL),
    (1, 0): CpuidLeaf(0x306C4, 0x800, 0x06D8_2203, 0x078B_F9FD),
    (2, 0): CpuidLeaf(1, 0, 0, 0x2C_307D),
    (4, 0): CpuidLeaf(0x121, 0x1C0_003F, 0x3F, 1),
    (4, 1): CpuidLeaf(0x122, 0x1C0_003F, 0x3F, 1),
    (4, 2): CpuidLeaf(0x143, 0x3C0_003F, 0xFFF, 1),
    (6, 0): CpuidLeaf(4),
    (7, 0): CpuidLeaf(0, 0x389),
    (0xD, 0): CpuidLeaf(3, XSAVE_BYTES, XSAVE_BYTES),
    (0xD, 1): CpuidLeaf(1),
    (0x8000_0000, 0): vendor_leaf(NEWEST_EXTENDED, INTEL),
    (0x8000_0001, 0): CpuidLeaf(0x306C4, 0, 0x21, 0x2810_0800),
    **brand_leaves(BRAND),
    (0x8000_0005, 0): CpuidLeaf(0x1FF_01FF, 0x1FF_01FF, 0x4002_0140, 0x4002_0140),
    (0x8000_0006, 0): CpuidLeaf(0, 0x4200_4200, 0x200_8140),
    (0x8000_0008, 0): CpuidLeaf(0x3028),
}
LAPIS: Final = CpuModel(
    name="lapis",
    text="everything that is modelled: x86-64-v2, BMI1, BMI2, MOVBE, AES, LZCNT",
    vendor="intel",
    leaves=MappingProxyType(LEAVES),
    msrs=MSRS,
    cr0=CR0,
    cr4=0x15_07FC,  # TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE SMEP
    xcr0=3,
    efer=0xD01,
    dr6=DR6,
    dr7=DR7,
)
