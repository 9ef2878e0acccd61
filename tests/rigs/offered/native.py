"""The list on the processor of this host: what each makes of the same state.

64-bit code of a user alone, and what both have. Registers of x87 and MMX are loaded
before it and stored behind it, for the host shows no others than those of SSE.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rigs.native_cpu import compare, host, instructions, layout
from rigs.offered import features, rules, walk
from rigs.offered.judge import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from rigs.native_cpu.engine import Bench
    from rigs.offered.walk import Instruction

LEFT_OUT: Final[dict[str, str]] = {
    name: reason
    for names, reason in (
        ("syscall sysenter int into", "asks the kernel of the host"),
        ("cpuid rdtsc rdtscp rdpid xgetbv rdpmc", "tells of the host"),
        ("sldt sgdt sidt str smsw lar lsl verr verw", "tells of the host's tables"),
        ("iret iretd iretq retf retfq lcall ljmp", "takes the host's selectors"),
        ("rdfsbase rdgsbase wrfsbase wrgsbase", "takes the host's bases"),
        ("lss lfs lgs", "takes the host's selectors"),
        ("call jmp ret", "goes to where the host has no code, and the bench has"),
        ("xsave xsave64 xsaveopt xsaveopt64 xrstor xrstor64", "has AVX on the host"),
        ("fxsave fxsave64 fxrstor fxrstor64 fnsave frstor fnstenv fldenv",
         "keeps pointers to instruction and operand"),
        ("popf popfq", "sets flags that the host keeps"),
        ("pushf pushfq", "keeps flags of the host"),
        ("in out insb insd insw outsb outsd outsw", "is checked by the port's handler"),
        ("xsetbv", "is the supervisor's, on the bench without OSXSAVE"),
        ("rcpps rcpss rsqrtps rsqrtss", "is an approximation, and processors differ"),
        ("lgdt lidt lldt ltr invlpg", "is the supervisor's, on tables of the host"),
    )
    for name in names.split()
}  # fmt: skip
"""Mnemonic -> why it is not compared."""
SELECTORS: Final = frozenset(("es", "ss", "ds", "fs", "gs", "cs"))
NAMES: Final = {
    "SSE3": "pni", "LAHF64": "lahf_lm", "CLFSH": "clflush", "MSR": "msr",
    "PCLMULQDQ": "pclmulqdq",
}  # fmt: skip
"""Feature -> what the kernel calls it; the others by their own name."""

ST: Final = 0x3800
CONDITIONS: Final = 0x4500
"""C0, C2 and C3 of the status word; C1 tells of rounding."""
COMPARES: Final = ("fcom", "fucom", "ficom", "fxam", "ftst")
LOAD_X87: Final = bytes.fromhex("d9ee" * 8 + "dbe3 df2e df6e08 df6e10")
"""Eight times fldz, for FNSAVE stores what is empty, too; fninit; three times fild."""
LOAD_MMX: Final = b"".join(bytes((0x0F, 0x6F, 0x46 | n << 3, 8 * n)) for n in range(8))
STORE_MMX: Final = b"".join(
    bytes((0x41, 0x0F, 0x7F, 0x40 | n << 3, 8 * n)) for n in range(8)
)
OF, SF, AF, PF = instructions.OF, instructions.SF, instructions.AF, instructions.PF


def _undefined() -> dict[str, int]:
    found: dict[str, int] = {}
    for row in instructions.ROWS:
        found[row.name] = found.get(row.name, 0) | row.undefined
    # SDM Vol. 2 "ANDN", "BEXTR", "BLSI", "BLSMSK", "BLSR", "BZHI", "LZCNT", "TZCNT".
    found |= dict.fromkeys(("ANDN", "BLSI", "BLSMSK", "BLSR", "BZHI"), AF | PF)
    found |= dict.fromkeys(("LZCNT", "TZCNT"), OF | SF | PF | AF)
    return found | {"BEXTR": AF | SF | PF}


UNDEFINED: Final = _undefined()
"""Mnemonic -> flags that are not compared."""


class Trial(NamedTuple):
    """An instruction with what it starts from."""

    insn: Instruction
    given: layout.Given
    at: int
    """Where in the code it begins."""


def has() -> frozenset[str]:
    """Return the features of the host."""
    flags = host.features()
    return frozenset(
        name for name in features.BITS if NAMES.get(name, name.lower()) in flags
    )


def trials(rng: Random, offered: frozenset[str]) -> Iterator[Trial]:
    """Yield all that is offered here and there, each from a random state."""
    both = offered & has()
    for insn in walk.instructions(64):
        if not features.needed(insn) <= both or _is_left_out(insn):
            continue
        before, after = _around(insn)
        code = before + insn.code + after
        yield Trial(insn, _given(rng, code, insn), len(before))


def _is_left_out(insn: Instruction) -> bool:
    name = insn.mnemonic.split()[-1]
    return (
        name in LEFT_OUT
        or rules.is_undefined(insn, "64")
        or (name in {"mov", "pop"} and insn.form.split(",")[0] in SELECTORS)
        or (name in {"mov", "push"} and insn.form.split(",")[-1] in SELECTORS)
    )


def _around(insn: Instruction) -> tuple[bytes, bytes]:
    """Return code that loads, and code that stores, what it works on."""
    if "mm" in insn.form.split(","):
        return LOAD_MMX, STORE_MMX
    if insn.code.lstrip(b"\x66\xf2\xf3\x48")[0] in walk.X87:
        mask = ST | (CONDITIONS if insn.mnemonic.startswith(COMPARES) else 0)
        # fnsave [r8]; mov word [r8 + 2], 0 ...; and dword [r8 + 4], mask; no pointers.
        stored = bytes.fromhex("41dd30 6641c740020000 6641c7400a0000 41816004")
        clear = b"".join(bytes.fromhex(f"41c740{at:02x}00000000") for at in POINTERS)
        return LOAD_X87, stored + struct.pack("<I", mask) + clear
    return b"", b""


PUSHED, RESERVED, LAST_BIT = "ENTER that faults", "FLDCW", "the last bit of x87"
LEFT_AT = "INT1 whose RIP is left at it"
KNOWN: Final = compare.KNOWN | {
    PUSHED: "no departure: what it pushes before it faults is not said",
    RESERVED: "FLDCW keeps reserved bits of the control word",
    LEFT_AT: "no departure: under a hypervisor that intercepts INT1 some hosts report "
    'it as a fault, and it is a trap (SDM Vol. 2A "INT n/INTO/INT3/INT1")',
    LAST_BIT: "no departure: ours are exact, and processors differ in the last bits "
    '(SDM Vol. 1 "Transcendental Instruction Accuracy")',
}
TRANSCENDENTAL: Final = frozenset(
    ("FSIN", "FCOS", "FSINCOS", "FPTAN", "FPATAN", "FYL2X", "FYL2XP1", "F2XM1")
)
COUNTED: Final = ("rep", "shld", "shrd")
POINTERS: Final = (0xC, 0x10, 0x14, 0x18)
"""Of FNSAVE's area: offset and selector of the instruction and of its operand."""


def _given(rng: Random, code: bytes, insn: Instruction) -> layout.Given:
    gpr = [rng.choice((rng.getrandbits(64), rng.getrandbits(8))) for _ in range(16)]
    if insn.mnemonic.startswith(COUNTED):
        gpr[1] = rng.randrange(16)  # a string has an end; beyond 16 SHLD is undefined
    gpr[2] = rng.choice((0, 0, rng.getrandbits(64)))
    gpr[3] = layout.DATA + 64 * rng.randrange(1, 24)
    gpr[4] = layout.STACK + 8 * rng.randrange(64, 448)
    gpr[5] = layout.STACK + 0x800 + 8 * rng.randrange(16)
    gpr[6] = layout.DATA + 64 * rng.randrange(1, 24)
    gpr[7] = layout.DATA + 64 * rng.randrange(1, 24)
    gpr[8] = layout.DATA + layout.PAGE + 0x100
    xmm = b"".join(
        rng.randbytes(16)
        if rng.random() < 0.5
        else struct.pack("<2d", rng.uniform(-99, 99), rng.uniform(-1, 1))
        for _ in range(16)
    )
    content = rng.randrange(0, len(layout.POOL) - layout.MEMORY)
    return layout.Given(code, content, tuple(gpr), rng.choice((2, 0x8D7)), xmm)


def differing(harness: Path, bench: Bench, batch: Sequence[Trial]) -> Iterator[Found]:
    """Run all on both; yield what differs, with its kind if it is a known one."""
    results = host.run(harness, [trial.given for trial in batch])
    for trial, theirs in zip(batch, results, strict=True):
        ours = bench.run(trial.given)
        name = trial.insn.mnemonic.upper()
        found = compare.differences(UNDEFINED.get(name, 0), theirs, ours)
        if found:
            kind = _known(name, found) or _left_at(name, found, theirs, ours)
            kind = kind or compare.kind_of(name, found, theirs, ours)
            text = f"{trial.insn}: {'; '.join(found[:4])}; {trial.given}"
            yield Found(kind or "other than on the host", text)


def _left_at(
    name: str, found: list[str], theirs: layout.Result, ours: layout.Result
) -> str | None:
    is_one = name == "INT1" and len(found) == 1 and found[0].startswith("rip ")
    return LEFT_AT if is_one and theirs.rip + 1 == ours.rip else None


def _known(name: str, found: list[str]) -> str | None:
    if not all(each.startswith("memory") for each in found):
        return None
    kinds = {"ENTER": PUSHED, "FLDCW": RESERVED}
    return LAST_BIT if name in TRANSCENDENTAL else kinds.get(name)
