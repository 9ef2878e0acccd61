"""Which bits of CPUID an instruction needs, by the disassembler's groups and by name.

The names and the bits are those of SDM Vol. 2A "CPUID" and APM Vol. 3 Appendix E; which
instruction needs what is said at each under "CPUID Feature Flag" in SDM Vol. 2 and APM
Vol. 3. Nothing here is taken from the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rigs.offered import walk

if TYPE_CHECKING:
    from rigs.offered.walk import Instruction

EAX, EBX, ECX, EDX = range(4)
L1, L7, LD, LE = (1, 0), (7, 0), (0xD, 1), (0x8000_0001, 0)
LEAVES: Final = (L1, L7, LD, LE)
BITS: Final[dict[str, tuple[tuple[int, int], int, int]]] = {
    "FPU": (L1, EDX, 0), "TSC": (L1, EDX, 4), "MSR": (L1, EDX, 5), "CX8": (L1, EDX, 8),
    "SEP": (L1, EDX, 11), "CMOV": (L1, EDX, 15), "CLFSH": (L1, EDX, 19),
    "MMX": (L1, EDX, 23), "FXSR": (L1, EDX, 24), "SSE": (L1, EDX, 25),
    "SSE2": (L1, EDX, 26), "SSE3": (L1, ECX, 0), "PCLMULQDQ": (L1, ECX, 1),
    "MONITOR": (L1, ECX, 3), "VMX": (L1, ECX, 5), "SMX": (L1, ECX, 6),
    "SSSE3": (L1, ECX, 9), "FMA": (L1, ECX, 12), "CX16": (L1, ECX, 13),
    "SSE4_1": (L1, ECX, 19), "SSE4_2": (L1, ECX, 20), "MOVBE": (L1, ECX, 22),
    "POPCNT": (L1, ECX, 23), "AES": (L1, ECX, 25), "XSAVE": (L1, ECX, 26),
    "AVX": (L1, ECX, 28), "F16C": (L1, ECX, 29), "RDRAND": (L1, ECX, 30),
    "FSGSBASE": (L7, EBX, 0), "SGX": (L7, EBX, 2), "BMI1": (L7, EBX, 3),
    "AVX2": (L7, EBX, 5), "BMI2": (L7, EBX, 8), "INVPCID": (L7, EBX, 10),
    "RTM": (L7, EBX, 11), "MPX": (L7, EBX, 14), "AVX512F": (L7, EBX, 16),
    "AVX512DQ": (L7, EBX, 17), "RDSEED": (L7, EBX, 18), "ADX": (L7, EBX, 19),
    "SMAP": (L7, EBX, 20), "CLFLUSHOPT": (L7, EBX, 23), "CLWB": (L7, EBX, 24),
    "SHA": (L7, EBX, 29), "AVX512BW": (L7, EBX, 30), "PREFETCHWT1": (L7, ECX, 0),
    "PKU": (L7, ECX, 3), "WAITPKG": (L7, ECX, 5), "CET_SS": (L7, ECX, 7),
    "GFNI": (L7, ECX, 8), "RDPID": (L7, ECX, 22), "CLDEMOTE": (L7, ECX, 25),
    "MOVDIRI": (L7, ECX, 27), "MOVDIR64B": (L7, ECX, 28), "SERIALIZE": (L7, EDX, 14),
    "XSAVEOPT": (LD, EAX, 0), "XSAVEC": (LD, EAX, 1), "XSAVES": (LD, EAX, 3),
    "LAHF64": (LE, ECX, 0), "SVM": (LE, ECX, 2), "ABM": (LE, ECX, 5),
    "SSE4A": (LE, ECX, 6), "PREFETCHW": (LE, ECX, 8), "XOP": (LE, ECX, 11),
    "SKINIT": (LE, ECX, 12), "FMA4": (LE, ECX, 16), "TBM": (LE, ECX, 21),
    "MONITORX": (LE, ECX, 29), "SYSCALL": (LE, EDX, 11), "RDTSCP": (LE, EDX, 27),
    "LM": (LE, EDX, 29), "3DNOW": (LE, EDX, 31),
}  # fmt: skip
"""Feature -> leaf and sub-leaf, register, bit."""

NEVER: Final = "no bit here"
"""A feature of leaves that no model has: PTWRITE (14H), KEYLOCKER (19H), PCONFIG."""

GROUPS: Final = {
    "FPU": "FPU", "CMOV": "CMOV", "MMX": "MMX", "SSE1": "SSE", "SSE2": "SSE2",
    "SSE3": "SSE3", "SSSE3": "SSSE3", "SSE41": "SSE4_1", "SSE42": "SSE4_2",
    "SSE4A": "SSE4A", "AES": "AES", "PCLMUL": "PCLMULQDQ", "AVX": "AVX",
    "AVX2": "AVX2", "AVX512": "AVX512F", "DQI": "AVX512DQ", "BWI": "AVX512BW",
    "F16C": "F16C", "FMA": "FMA", "FMA4": "FMA4", "XOP": "XOP", "TBM": "TBM",
    "BMI": "BMI1", "BMI2": "BMI2", "ADX": "ADX", "SHA": "SHA", "RTM": "RTM",
    "FSGSBASE": "FSGSBASE", "3DNOW": "3DNOW",
}  # fmt: skip
"""Group of the disassembler -> feature."""

BY_NAME: Final[dict[str, str]] = {
    "CX8": "cmpxchg8b", "CX16": "cmpxchg16b", "TSC": "rdtsc", "MSR": "rdmsr wrmsr",
    "SEP": "sysenter sysexit sysexitq", "SYSCALL": "syscall sysret sysretq",
    "FXSR": "fxsave fxrstor fxsave64 fxrstor64", "CLFSH": "clflush",
    "CLFLUSHOPT": "clflushopt", "CLWB": "clwb",
    "SSE": "sfence ldmxcsr stmxcsr prefetchnta prefetcht0 prefetcht1 prefetcht2 "
           "maskmovq movntq pshufw",
    "SSE2": "lfence mfence movnti pause maskmovdqu",
    "SSE3": "fisttp",
    "SSSE3": "pabsb pabsd pabsw palignr phaddd phaddsw phaddw phsubd phsubsw phsubw "
             "pmaddubsw pmulhrsw pshufb psignb psignd psignw",
    "SSE4_1": "phminposuw", "SSE4_2": "pcmpestrm pcmpistrm",
    "MOVBE": "movbe", "POPCNT": "popcnt", "ABM": "lzcnt", "BMI1": "tzcnt",
    "XSAVE": "xgetbv xsetbv xsave xsave64 xrstor xrstor64",
    "XSAVEOPT": "xsaveopt xsaveopt64", "XSAVEC": "xsavec xsavec64",
    "XSAVES": "xsaves xsaves64 xrstors xrstors64", "PKU": "rdpkru wrpkru",
    "SMAP": "clac stac", "RDRAND": "rdrand", "RDSEED": "rdseed", "RDPID": "rdpid",
    "RDTSCP": "rdtscp", "PREFETCHW": "prefetchw", "PREFETCHWT1": "prefetchwt1",
    "3DNOW": "prefetch femms", "INVPCID": "invpcid",
    "MONITOR": "monitor mwait", "MONITORX": "monitorx mwaitx",
    "VMX": "vmcall vmlaunch vmresume vmxoff vmptrld vmptrst vmclear vmxon vmread "
           "vmwrite invept invvpid vmfunc",
    "SVM": "vmrun vmmcall vmload vmsave stgi clgi invlpga", "SKINIT": "skinit",
    "SMX": "getsec", "SGX": "encls enclu enclv", "RTM": "xbegin xend xabort xtest",
    "MPX": "bndcl bndcn bndcu bndldx bndmk bndmov bndstx",
    "CET_SS": "rdsspd rdsspq incsspd incsspq saveprevssp rstorssp wrssd wrssq wrussd "
              "wrussq setssbsy clrssbsy",
    "GFNI": "gf2p8affineinvqb gf2p8affineqb gf2p8mulb", "MOVDIRI": "movdiri",
    "MOVDIR64B": "movdir64b", "WAITPKG": "tpause umonitor umwait",
    "CLDEMOTE": "cldemote", NEVER: "ptwrite pconfig clzero",
    "FPU": "fldl2t fnstcw fnstsw fstp wait",
}  # fmt: skip
"""Feature -> what it alone has, where the disassembler has no group, or another."""
NAMED: Final = {
    name: feature for feature, names in BY_NAME.items() for name in names.split()
}
SINCE_SSE: Final = frozenset(
    (
        "pavgb", "pavgw", "pmaxsw", "pmaxub", "pminsw", "pminub", "pmovmskb", "pmulhuw",
        "psadbw", "pextrw", "pinsrw", "cvtpi2ps", "cvtps2pi", "cvttps2pi",
    )
)  # fmt: skip
SINCE_SSE2: Final = frozenset(
    (
        "paddq", "psubq", "pmuludq", "movq2dq", "movdq2q", "cvtpi2pd", "cvtpd2pi",
        "cvttpd2pi",
    )
)  # fmt: skip
"""MMX registers, and not MMX's."""
COMPARING: Final = frozenset(("fcomi", "fcompi", "fucomi", "fucompi"))
"""SDM Vol. 2A "FCOMI": introduced with CMOV."""
VEX: Final = (0xC4, 0xC5)
GPR_VEX: Final = frozenset(("BMI1", "BMI2"))

SAME_WITHOUT: Final = {
    "tzcnt": 'BSF (SDM Vol. 2B "TZCNT")',
    "lzcnt": 'BSR (SDM Vol. 2A "LZCNT")',
    "pause": 'NOP (SDM Vol. 2B "PAUSE")',
    **dict.fromkeys(
        ("prefetchw", "prefetchwt1", "prefetch"),
        '0F 0D is a NOP on all 64-bit processors (SDM Vol. 2D "Opcode Maps")',
    ),
    **dict.fromkeys(
        BY_NAME["MPX"].split(),
        '0F 1A and 0F 1B are hint NOPs without MPX (SDM Vol. 1 "Intel MPX")',
    ),
    **dict.fromkeys(
        ("rdsspd", "rdsspq"), 'a hint NOP without CET (SDM Vol. 2B "RDSSPD/RDSSPQ")'
    ),
    "cldemote": 'a hint NOP (SDM Vol. 2A "CLDEMOTE")',
}
"""What is no #UD where it is not offered -> what it is, and where that is said."""


UNREAD: Final[dict[str, str]] = {
    "SERIALIZE": "0f01e8", "3DNOW": "0f0fc10d 0f0f070d", "MONITORX": "0f01fa 0f01fb",
    "SHA": "0f38c8c1", "SVM": "0f01d8 0f01de", "FMA": "c4e27198c2 c4e271b8c2",
    "AVX": "c5f877 c5f058c2", "CET_SS": "f30f01ea f30f01e8", "VMX": "0f01d4",
    NEVER: "f20f01e8 f20f01e9 0f01c5 0f01fd 660f38f807 f20f38f807 f30f38f807 "
           "f30f38d8c1 f30f38dcc1 f30f38fac1 f30fc7f1 f30f3af0c000 62f17c4858c1",
}  # fmt: skip
"""Feature -> encodings that the disassembler does not know, or does not read here.

SDM Vol. 2 "SERIALIZE", "XSUSLDTRK", "PCONFIG", "ENQCMD", "MOVDIR64B", "AESENC128KL",
"ENCODEKEY128", "SENDUIPI", "HRESET", "VADDPS"; APM Vol. 3 "MONITORX", "RDPRU".
"""


def needed(insn: Instruction) -> frozenset[str]:
    """Return all features without which it is not there; empty for what always is."""
    name = insn.mnemonic
    if name in UNREAD:
        return frozenset((name,))
    if name in NAMED:
        found = {NAMED[name]}
    else:
        found = {GROUPS[group] for group in insn.groups if group in GROUPS}
    if name in COMPARING:
        found |= {"FPU", "CMOV"}
    if "mm" in insn.form.split(",") and not found & {"SSSE3"}:
        found |= {"SSE2"} if name in SINCE_SSE2 else set()
        found |= {"SSE"} if name in SINCE_SSE else set()
    if "xmm" in insn.form and name in SINCE_SSE and not found - {"MMX"}:
        found = {"SSE2"}
    if insn.code[0] in VEX and len(insn.code) > 2 and not found & GPR_VEX:
        found |= set() if name in {"les", "lds"} else {"AVX"}
    if insn.code[0] == walk.XOP and name != "pop" and not found:
        found = {"XOP"}
    if name in {"lahf", "sahf"} and insn.bits == 64:
        found = {"LAHF64"}
    return frozenset(found)
