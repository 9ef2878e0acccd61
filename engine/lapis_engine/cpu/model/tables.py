"""What the models have in common: MSRs by number, and the bits of registers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bits
from lapis_engine.cpu.model.record import Msr
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGES: Final = int(bits(39, 12))
"""Pages of physical memory: MAXPHYADDR is 40, as CPUID 80000008H says."""

MTRRS: Final[Mapping[int, Msr]] = MappingProxyType(
    {
        0xFE: Msr("IA32_MTRRCAP", 0x508, 0, feature="MTRR"),
        **{
            0x200 + 2 * n: Msr(
                f"IA32_MTRR_PHYSBASE{n}", 0, PAGES | 0xFF, "mtrr-base", "MTRR"
            )
            for n in range(8)
        },
        **{
            0x201 + 2 * n: Msr(
                f"IA32_MTRR_PHYSMASK{n}", 0, PAGES | 1 << 11, "any", "MTRR"
            )
            for n in range(8)
        },
        **{
            number: Msr(f"IA32_MTRR_FIX{name}", form="types", feature="MTRR")
            for number, name in (
                (0x250, "64K_00000"), (0x258, "16K_80000"), (0x259, "16K_A0000"),
                *((0x268 + n, f"4K_{0xC0000 + n * 0x8000:X}") for n in range(8)),
            )
        },
        0x2FF: Msr("IA32_MTRR_DEF_TYPE", 0, 0xCFF, "mtrr-type", "MTRR"),
    }
)  # fmt: skip
"""SDM Vol. 3A "Memory Type Range Registers": 8 variable ranges, fixed ones, WC."""

MSRS: Final[Mapping[int, Msr]] = MappingProxyType(
    {
        **MTRRS,
        0x17: Msr("IA32_PLATFORM_ID", 0, 0),
        0x3A: Msr("IA32_FEATURE_CONTROL", 1, 0),
        0x8B: Msr("IA32_BIOS_SIGN_ID"),
        0x174: Msr("IA32_SYSENTER_CS", form="low-half", feature="SEP"),
        0x175: Msr("IA32_SYSENTER_ESP", form="canonical", feature="SEP"),
        0x176: Msr("IA32_SYSENTER_EIP", form="canonical", feature="SEP"),
        0x179: Msr("IA32_MCG_CAP", 0, 0, feature="MCA"),
        0x17A: Msr("IA32_MCG_STATUS", 0, 0, feature="MCA"),
        # Fast strings; no branch trace store, no precise event based sampling.
        0x1A0: Msr("IA32_MISC_ENABLE", 0x1801, 1),
        # Not modelled: its bits, traps on branches (BTF) among them: each is #GP(0).
        0x1D9: Msr("IA32_DEBUGCTL", 0, 0, form="empty"),
        0x277: Msr("IA32_PAT", 0x0007_0406_0007_0406, form="pat", feature="PAT"),
        0xC000_0081: Msr("IA32_STAR", feature="SYSCALL"),
        0xC000_0082: Msr("IA32_LSTAR", form="canonical", feature="SYSCALL"),
        0xC000_0083: Msr("IA32_CSTAR", form="canonical", feature="SYSCALL"),
        0xC000_0084: Msr("IA32_FMASK", writable=MASK32, feature="SYSCALL"),
        0xC000_0102: Msr("IA32_KERNEL_GS_BASE", form="canonical", feature="LM"),
        0xC000_0103: Msr("IA32_TSC_AUX", writable=MASK32, feature="RDTSCP"),
    }
)
"""Those that are kept as written (SDM Vol. 4): only what `feature` says is offered."""

CR0: Final = 0xE005_003F
"""PE MP EM TS ET NE WP AM NW CD PG."""
DR6: Final = 0xE00F
"""B0 to B3, BD, BS, BT."""
DR7: Final = 0xFFFF_23FF
"""L0 to G3, LE, GE, GD, R/W0 to LEN3."""
