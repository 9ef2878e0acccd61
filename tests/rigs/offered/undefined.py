"""Every encoding in 64-bit code of a user: #UD on the host's processor, #UD here.

Only that is compared: what an instruction does is in `native`, and most of these are
the same one with other registers, or none at all.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import capstone

from rigs.native_cpu import host, layout
from rigs.offered import features, native, walk
from rigs.offered.judge import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rigs.native_cpu.engine import Bench
    from rigs.native_cpu.layout import Result

AT: Final = layout.DATA + 0x100
UD: Final = 6
LONGEST: Final = 13
HARMFUL: Final = frozenset(
    (
        "syscall", "sysenter", "int", "int1", "int3", "into", "iret", "iretd", "iretq",
        "retf", "retfq", "lcall", "ljmp", "lss", "lfs", "lgs", "call", "jmp", "ret",
        "wrpkru", "in", "out", "insb", "insd", "insw", "outsb", "outsd", "outsw",
        "popf", "popfq", "rdtsc", "rdtscp", "cpuid", "xsave", "xrstor", "xsaveopt",
        "xsave64", "xrstor64", "xsaveopt64",
        "xgetbv", "xsetbv", "rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase",
    )
)  # fmt: skip
"""What leaves the program, changes it for the next one, or is not on the bench."""
PREFIXES: Final = b"\x66\xf2\xf3\x48"
FAR: Final = bytes.fromhex("64 65 cd ca cb cf ff e8 e9 eb c2 c3")
"""Opcodes that the disassembler does not always read, of the same kind."""
BASES: Final = range(0xC0, 0xE0)
"""ModRM of F3 0F AE: RDFSBASE and its kin."""
MACHINE: Final = range(0xC0, 0x100)
"""ModRM of 0F 01: it is another set on each vendor's processors."""
GROUP_3, TEST_TOO = b"\xf6\xf7", 1

BOTH: Final = "66 with F2 or F3"
ALIAS: Final = "F6 /1 and F7 /1"
KNOWN: Final = {
    BOTH: "before an opcode of SSE the processor underneath goes by 66",
    ALIAS: "TEST on processors, and nothing in the manual (SDM Vol. 2D, group 3)",
}


@cache
def encodings() -> tuple[bytes, ...]:
    """Return all that do no harm, in an order that mixes them."""
    found = list(
        dict.fromkeys(code[:LONGEST] for code in walk.encodings(64) if _is_safe(code))
    )
    step = 7919  # a prime that does not divide their number
    return tuple(found[n * step % len(found)] for n in range(len(found)))


@cache
def _reader() -> capstone.Cs:
    reader = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    reader.detail = True
    return reader


def _is_safe(code: bytes) -> bool:
    opcode = code.lstrip(PREFIXES)
    if opcode[0] in FAR or (opcode[:2] == b"\x0f\x01" and opcode[2] in MACHINE):
        return False
    if opcode[:2] == b"\x0f\xae" and opcode[2] in BASES:
        return False
    for insn in _reader().disasm(code, 0, 1):
        name = insn.mnemonic.split()[-1]
        is_load = name in {"mov", "pop"} and insn.op_str[:2] in native.SELECTORS
        return name not in HARMFUL and not is_load
    return True


def differing(
    harness: Path, bench: Bench, some: Sequence[bytes], offered: frozenset[str]
) -> Iterator[Found]:
    """Yield what is #UD on one of them."""
    gpr = tuple({1: 3, 4: layout.STACK + 0x800}.get(n, AT) for n in range(16))
    batch = [layout.Given(code, 0, gpr, 2, bytes(256)) for code in some]
    for given, theirs in zip(batch, host.run(harness, batch), strict=True):
        code, ours = given.code, bench.run(given)
        if _is_none(theirs) == _is_none(ours):
            continue
        missing = _missing(code, offered)
        if _is_none(ours) and missing:
            continue
        which = "the host" if _is_none(theirs) else "the engine"
        yield Found(_kind(code) or f"#UD on {which}", f"{code.hex(' ')} {missing}")


def _is_none(result: Result) -> bool:
    return result.vector == UD and result.rip == layout.CODE


def _missing(code: bytes, offered: frozenset[str]) -> str:
    """Return which features an encoding needs that are not offered."""
    for insn in walk.read(64, code):
        return " ".join(sorted(features.needed(insn) - offered))
    return "AVX" if code[0] in features.VEX else ""


def _kind(code: bytes) -> str | None:
    opcode = code.lstrip(PREFIXES)
    before = code[: len(code) - len(opcode)]
    if 0x66 in before and (0xF2 in before or 0xF3 in before) and opcode[0] == 0x0F:
        return BOTH
    if opcode[0] in GROUP_3 and opcode[1] >> 3 & 7 == TEST_TOO:
        return ALIAS
    return None
