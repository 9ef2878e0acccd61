"""The feature bits of CPUID under the manual's names.

SDM Vol. 2A "CPUID", tables of the feature information of leaves 1, 7, 0DH and
80000001H.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Register = Literal["eax", "ebx", "ecx", "edx"]
REGISTERS: Final[tuple[Register, ...]] = ("eax", "ebx", "ecx", "edx")


class Feature(NamedTuple):
    """Where CPUID says whether there is a feature."""

    name: str
    leaf: int
    sub: int
    register: Register
    bit: int


BITS: Final[Mapping[tuple[int, int, Register], str]] = MappingProxyType(
    {
        (1, 0, "ecx"): (
            "SSE3 PCLMULQDQ DTES64 MONITOR DS_CPL VMX SMX EIST TM2 SSSE3 CNXT_ID SDBG "
            "FMA CX16 XTPR PDCM - PCID DCA SSE4_1 SSE4_2 X2APIC MOVBE POPCNT "
            "TSC_DEADLINE AES XSAVE OSXSAVE AVX F16C RDRAND HYPERVISOR"
        ),
        (1, 0, "edx"): (
            "FPU VME DE PSE TSC MSR PAE MCE CX8 APIC - SEP MTRR PGE MCA CMOV PAT PSE36 "
            "PSN CLFSH - DS ACPI MMX FXSR SSE SSE2 SS HTT TM - PBE"
        ),
        (6, 0, "eax"): "DTS TURBO ARAT - PLN ECMD PTM",
        (7, 0, "ebx"): (
            "FSGSBASE TSC_ADJUST SGX BMI1 HLE AVX2 FDP_EXCPTN_ONLY SMEP BMI2 ERMS "
            "INVPCID RTM RDT_M FPU_CS_DS MPX RDT_A AVX512F AVX512DQ RDSEED ADX SMAP "
            "AVX512_IFMA - CLFLUSHOPT CLWB INTEL_PT AVX512PF AVX512ER AVX512CD SHA "
            "AVX512BW AVX512VL"
        ),
        (7, 0, "ecx"): (
            "PREFETCHWT1 AVX512_VBMI UMIP PKU OSPKE WAITPKG AVX512_VBMI2 CET_SS GFNI "
            "VAES VPCLMULQDQ AVX512_VNNI AVX512_BITALG TME_EN AVX512_VPOPCNTDQ - LA57 "
            "- - - - - RDPID KL BUS_LOCK CLDEMOTE - MOVDIRI MOVDIR64B ENQCMD SGX_LC "
            "PKS"
        ),
        (7, 0, "edx"): (
            "- - AVX512_4VNNIW AVX512_4FMAPS FSRM UINTR - - AVX512_VP2INTERSECT "
            "SRBDS_CTRL MD_CLEAR RTM_ALWAYS_ABORT - RTM_FORCE_ABORT SERIALIZE HYBRID "
            "TSXLDTRK - PCONFIG LBR CET_IBT - AMX_BF16 AVX512_FP16 AMX_TILE AMX_INT8 "
            "IBRS STIBP L1D_FLUSH ARCH_CAPABILITIES CORE_CAPABILITIES SSBD"
        ),
        (0xD, 1, "eax"): "XSAVEOPT XSAVEC XGETBV1 XSAVES",
        (0x8000_0001, 0, "ecx"): (
            "LAHF64 CMP_LEGACY SVM EXTAPIC CR8_LEGACY ABM SSE4A MISALIGNSSE PREFETCHW "
            "OSVW IBS XOP SKINIT WDT - LWP FMA4"
        ),
        (0x8000_0001, 0, "edx"): (
            "- - - - - - - - - - - SYSCALL - - - - - - - - NX - MMXEXT - - FXSR_OPT "
            "PAGE1GB RDTSCP - LM 3DNOWEXT 3DNOW"
        ),
        (0x8000_0007, 0, "edx"): "- - - - - - - - INVARIANT_TSC",
    }
)
"""(Leaf, sub-leaf, register) -> names of its bits from bit 0 up; `-` is reserved."""

FEATURES: Final[Mapping[str, Feature]] = MappingProxyType(
    {
        name: Feature(name, *where, bit)
        for where, names in BITS.items()
        for bit, name in enumerate(names.split())
        if name != "-"
    }
)
"""Every bit that has a name."""


def names(leaf: int, sub: int, register: Register, value: int) -> list[str]:
    """Return the names of the bits that are set in a register, from bit 0 up.

    A bit without a name is told by its number.
    """
    known = BITS.get((leaf, sub, register))
    if known is None:
        return []
    table = known.split()
    table += ["-"] * (32 - len(table))
    return [
        name if name != "-" else f"bit {bit}"
        for bit, name in enumerate(table)
        if value >> bit & 1
    ]


CR4_NEEDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "VME", 1: "VME", 2: "TSC", 3: "DE", 4: "PSE", 5: "PAE", 6: "MCE", 7: "PGE",
        9: "FXSR", 10: "SSE", 11: "UMIP", 12: "LA57", 13: "VMX", 14: "SMX",
        16: "FSGSBASE", 17: "PCID", 18: "XSAVE", 20: "SMEP", 21: "SMAP", 22: "PKU",
        23: "CET_SS", 24: "PKS",
    }
)  # fmt: skip
"""Bit of CR4 -> the feature that it comes with (SDM Vol. 3A "Control Registers")."""
EFER_NEEDS: Final[Mapping[int, str]] = MappingProxyType(
    {0: "SYSCALL", 8: "LM", 10: "LM", 11: "NX", 12: "SVM"}
)
"""Bit of IA32_EFER -> the feature that it comes with (SDM Vol. 4)."""
FEATURE_NEEDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "SSE": ("FXSR",), "SSE2": ("SSE",), "SSE3": ("SSE2",), "SSSE3": ("SSE3",),
        "SSE4_1": ("SSSE3",), "SSE4_2": ("SSE4_1",), "AES": ("SSE2",),
        "PCLMULQDQ": ("SSE2",), "AVX": ("XSAVE", "SSE4_2"), "AVX2": ("AVX",),
        "FMA": ("AVX",), "F16C": ("AVX",), "LM": ("PAE", "SYSCALL"), "NX": ("PAE",),
        "XSAVEOPT": ("XSAVE",), "XSAVEC": ("XSAVE",), "XSAVES": ("XSAVE",),
        "XGETBV1": ("XSAVE",), "CX16": ("CX8",), "X2APIC": ("MSR",),
    }
)  # fmt: skip
"""Feature -> those without which it cannot be."""
UNMODELLED: Final = (
    "MONITOR", "VMX", "SMX", "SVM", "AVX", "RDRAND", "RDSEED", "OSXSAVE", "APIC",
    "X2APIC", "TSC_DEADLINE", "TSC_ADJUST", "HTT", "HYPERVISOR",
)  # fmt: skip
"""No model holds these: the engine has no such instruction, or sets the bit itself."""
