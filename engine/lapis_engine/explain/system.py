"""Flags, control registers and descriptors in words.

SDM Vol. 1 "EFLAGS Register"; Vol. 3A "Control Registers", "Segment Descriptors"; Vol. 4
"IA32_EFER". Bits are named as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.explain.fields import explained, set_if

if TYPE_CHECKING:
    from lapis_engine.bits import Bits
    from lapis_engine.explain.fields import Explanation

Named = tuple[tuple[str, "Bits", str], ...]
"""Name, place, and what it means when it is set, where the name does not say it."""

ONE: Final = "always 1"

RFLAGS: Final[Named] = (
    ("ID", bit(21), "CPUID is there"),
    ("VIP", bit(20), "a virtual interrupt is pending"),
    ("VIF", bit(19), "virtual interrupt flag"),
    ("AC", bit(18), "alignment check, or access to user pages (SMAP)"),
    ("VM", bit(17), "virtual-8086 mode"),
    ("RF", bit(16), "instruction breakpoints wait for one instruction"),
    ("NT", bit(14), "nested task"),
    ("IOPL", bits(13, 12), ""),
    ("OF", bit(11), "overflow"),
    ("DF", bit(10), "strings go down"),
    ("IF", bit(9), "interrupts are taken"),
    ("TF", bit(8), "single step"),
    ("SF", bit(7), "negative"),
    ("ZF", bit(6), "zero"),
    ("AF", bit(4), "carry out of bit 3"),
    ("PF", bit(2), "even parity"),
    (ONE, bit(1), ""),
    ("CF", bit(0), "carry"),
)
CR0: Final[Named] = (
    ("PG", bit(31), "paging"),
    ("CD", bit(30), "caches off"),
    ("NW", bit(29), "not write-through"),
    ("AM", bit(18), "AC checks alignment"),
    ("WP", bit(16), "read-only pages also for the supervisor"),
    ("NE", bit(5), "x87 errors are #MF"),
    ("ET", bit(4), ""),
    ("TS", bit(3), "x87 and SSE are #NM"),
    ("EM", bit(2), "no x87"),
    ("MP", bit(1), "WAIT heeds TS"),
    ("PE", bit(0), "protected mode"),
)
CR4: Final[Named] = (
    ("PKS", bit(24), "protection keys of supervisor pages"),
    ("CET", bit(23), "control-flow enforcement"),
    ("PKE", bit(22), "protection keys of user pages"),
    ("SMAP", bit(21), "no supervisor access to user pages"),
    ("SMEP", bit(20), "no supervisor fetch from user pages"),
    ("OSXSAVE", bit(18), "XSAVE and XCR0"),
    ("PCIDE", bit(17), "process-context identifiers"),
    ("FSGSBASE", bit(16), "RDFSBASE and its like"),
    ("SMXE", bit(14), "SMX"),
    ("VMXE", bit(13), "VMX"),
    ("LA57", bit(12), "5-level paging"),
    ("UMIP", bit(11), "no SGDT and its like for users"),
    ("OSXMMEXCPT", bit(10), "SSE errors are #XM"),
    ("OSFXSR", bit(9), "FXSAVE and SSE"),
    ("PCE", bit(8), "RDPMC for users"),
    ("PGE", bit(7), "global pages"),
    ("MCE", bit(6), "machine checks"),
    ("PAE", bit(5), "64-bit page-table entries"),
    ("PSE", bit(4), "4 MiB pages"),
    ("DE", bit(3), "breakpoints on ports"),
    ("TSD", bit(2), "no RDTSC for users"),
    ("PVI", bit(1), "virtual interrupts in protected mode"),
    ("VME", bit(0), "extensions of virtual-8086 mode"),
)
EFER: Final[Named] = (
    ("FFXSR", bit(14), "fast FXSAVE"),
    ("LMSLE", bit(13), "segment limits in long mode"),
    ("SVME", bit(12), "SVM"),
    ("NXE", bit(11), "NX in page tables"),
    ("LMA", bit(10), "long mode is active"),
    ("LME", bit(8), "long mode with paging"),
    ("SCE", bit(0), "SYSCALL"),
)

LIMIT_HIGH: Final = bits(51, 48)
BASE_HIGH: Final = bits(63, 56)
GRANULARITY: Final = bit(55)
DB: Final = bit(54)
LONG: Final = bit(53)
AVAILABLE: Final = bit(52)
PRESENT: Final = bit(47)
DPL: Final = bits(46, 45)
CODE_OR_DATA: Final = bit(44)
TYPE: Final = bits(43, 40)
BASE_LOW: Final = bits(39, 16)
LIMIT_LOW: Final = bits(15, 0)
SYSTEM_TYPES: Final = {
    1: "16-bit TSS", 2: "LDT", 3: "busy 16-bit TSS", 4: "16-bit call gate",
    5: "task gate", 6: "16-bit interrupt gate", 7: "16-bit trap gate", 9: "TSS",
    11: "busy TSS", 12: "call gate", 14: "interrupt gate", 15: "trap gate",
}  # fmt: skip
GATES: Final = {4, 5, 6, 7, 12, 14, 15}
GATE_OFFSET_HIGH: Final = bits(63, 48)
GATE_SELECTOR: Final = bits(31, 16)
GATE_IST: Final = bits(34, 32)
GATE_OFFSET_LOW: Final = bits(15, 0)


def rflags(raw: int) -> Explanation:
    """Explain RFLAGS."""
    return _named("rflags", raw, RFLAGS)


def cr0(raw: int) -> Explanation:
    """Explain CR0."""
    return _named("cr0", raw, CR0)


def cr4(raw: int) -> Explanation:
    """Explain CR4."""
    return _named("cr4", raw, CR4)


def efer(raw: int) -> Explanation:
    """Explain MSR IA32_EFER."""
    return _named("efer", raw, EFER)


def _named(what: str, raw: int, named: Named) -> Explanation:
    rows = tuple(
        (name, where, set_if(raw & where, meaning)) for name, where, meaning in named
    )
    words = [
        name if where >> where.lo == 1 else f"{name} {where.get(raw)}"
        for name, where, _ in named
        if raw & where and name != ONE
    ]
    return explained(what, raw, " ".join(words) or "nothing is set", rows)


def descriptor(raw: int) -> Explanation:
    """Explain a descriptor of 8 bytes: a segment's, a system segment's or a gate.

    Of one of 16 bytes (TSS and gates in long mode) these are the first 8.
    """
    kind = TYPE.get(raw)
    if not raw & CODE_OR_DATA and kind in GATES:
        return _gate(raw, kind)
    base = BASE_HIGH.get(raw) << 24 | BASE_LOW.get(raw)
    limit = LIMIT_HIGH.get(raw) << 16 | LIMIT_LOW.get(raw)
    if raw & GRANULARITY:
        limit = limit << 12 | 0xFFF
    what = _segment(raw, kind)
    present = "" if raw & PRESENT else ", not present"
    text = f"{what}, base {base:#x}, limit {limit:#x}, DPL {DPL.get(raw)}{present}"
    rows = (
        ("base, bits 31:24", BASE_HIGH, ""),
        ("G", GRANULARITY, set_if(raw & GRANULARITY, "the limit is in pages")),
        ("D/B", DB, set_if(raw & DB, "32 bits")),
        ("L", LONG, set_if(raw & LONG, "64-bit code")),
        ("AVL", AVAILABLE, ""),
        ("limit, bits 19:16", LIMIT_HIGH, ""),
        *_common(raw, what),
        ("base, bits 23:0", BASE_LOW, ""),
        ("limit, bits 15:0", LIMIT_LOW, ""),
    )
    return explained("descriptor", raw, text, rows)


def _common(raw: int, what: str) -> Named:
    present = "present" if raw & PRESENT else "not present"
    return (
        ("P", PRESENT, present),
        ("DPL", DPL, ""),
        ("S", CODE_OR_DATA, "code or data" if raw & CODE_OR_DATA else "system"),
        ("type", TYPE, what),
    )


def _segment(raw: int, kind: int) -> str:
    if not raw & CODE_OR_DATA:
        return SYSTEM_TYPES.get(kind, f"reserved type {kind}")
    if kind & 8:
        size = "64-bit" if raw & LONG else "32-bit" if raw & DB else "16-bit"
        words = [f"{size} code"]
        words += ["conforming"] if kind & 4 else []
        words += ["readable"] if kind & 2 else ["execute-only"]
    else:
        words = ["data", "writable" if kind & 2 else "read-only"]
        words += ["expand-down"] if kind & 4 else []
    return ", ".join([*words, *(["accessed"] if kind & 1 else [])])


def _gate(raw: int, kind: int) -> Explanation:
    offset = GATE_OFFSET_HIGH.get(raw) << 16 | GATE_OFFSET_LOW.get(raw)
    selector, ist = GATE_SELECTOR.get(raw), GATE_IST.get(raw)
    present = "" if raw & PRESENT else ", not present"
    where = f"to {selector:#x}:{offset:#x}" if kind != 5 else f"to TSS {selector:#x}"
    stack = f", IST {ist}" if ist else ""
    what = SYSTEM_TYPES[kind]
    rows = (
        ("offset, bits 31:16", GATE_OFFSET_HIGH, ""),
        *_common(raw, what),
        ("IST", GATE_IST, set_if(ist, "long mode only")),
        ("selector", GATE_SELECTOR, ""),
        ("offset, bits 15:0", GATE_OFFSET_LOW, ""),
    )
    text = f"{what} {where}, DPL {DPL.get(raw)}{stack}{present}"
    return explained("descriptor", raw, text, rows)
