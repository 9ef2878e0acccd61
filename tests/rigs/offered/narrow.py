"""What an instruction does in 16 and 32 bits, beside the same one in 64 bits.

The same is what reads the same, where an address is an address: an operand of 32 bits
has another prefix in 16-bit code, and nothing else. What 64-bit code of a user does is
compared with the processor of the host (`native`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.layout import X87State
from rigs.offered import features, judge, rules, walk
from rigs.offered.bench import BITS_OF, DATA, STATES
from rigs.offered.judge import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rigs.offered.bench import Ended
    from rigs.offered.walk import Instruction

MODES: Final = ("real", "16", "32")
ADDRESS: Final = re.compile(r"(?:[c-gs]s:)?\[[^]]*\]")
LEFT_OUT: Final[dict[str, str]] = {
    name: reason
    for names, reason in (
        ("sgdt sidt lgdt lidt", "has another width in 64 bits"),
        ("push pop pushf popf enter leave call jmp ret retf lcall ljmp iret iretd",
         "has another stack or pointer in 64 bits"),
        ("sldt str lldt ltr lar lsl verr verw arpl les lds lss lfs lgs",
         "is of descriptors, which differ by mode"),
        ("rdtsc rdtscp", "tells the time"),
        ("fnsave frstor fnstenv fldenv fxsave fxrstor xsave xrstor xsaveopt",
         "has another format"),
        ("sysenter sysexit syscall sysret swapgs", "is another by mode"),
        ("rdmsr wrmsr smsw", "has an EFER, or CR0, by mode"),
        ("loop loope loopne", "counts in RCX"),
        ("cbw cwde cwd cdq", "has another name in 16 bits than the disassembler's"),
    )
    for name in names.split()
}  # fmt: skip
"""Mnemonic -> why it is not compared."""
PREFIX_66: Final = "16-bit POPCNT, CRC32 and MOVBE"
KNOWN: Final = {
    PREFIX_66: "the processor underneath takes 66 for 16 bits in 16-bit code, too",
}
BY_PREFIX: Final = frozenset(("popcnt", "crc32", "movbe"))
BIT_STRINGS: Final = frozenset(("bt", "bts", "btr", "btc"))
"""Of memory and a register they reach far from their operand."""
SPECIAL: Final = re.compile(r"[c-gs]s|[cd]r\d+")
"""Segment, control and debug registers: they differ by mode, too."""
POINTERS: Final = slice(X87State.fop.offset, X87State.fdp.offset + X87State.fdp.size)


def pairs(mode: str) -> Iterator[tuple[Instruction, Instruction]]:
    """Yield what is in a mode, and the same in 64 bits."""
    wide = _by_text()
    for insn in walk.instructions(BITS_OF[mode]):
        same = wide.get(_text(insn))
        if same is not None and not _is_left_out(insn, mode):
            yield insn, same


def differing(model: str, mode: str) -> Iterator[Found]:
    """Yield what does not do in a mode what it does in 64 bits."""
    bench = judge.bench(model)
    for insn, same in pairs(mode):
        if not features.needed(insn) <= bench.offered:
            continue
        for state in STATES:
            narrow = bench.run(insn.code, mode, state)
            wide = bench.run(same.code, "64", state)
            found = list(_differences(narrow, wide, len(insn.code) - len(same.code)))
            if found:
                is_known = mode != "32" and insn.mnemonic in BY_PREFIX
                kind = PREFIX_66 if is_known else "other than in 64 bits"
                yield Found(kind, f"{model}, {mode}: {insn}: {'; '.join(found)}")


def _differences(narrow: Ended, wide: Ended, more: int) -> Iterator[str]:
    for name in ("vector", "error", "asked", "gpr", "rflags"):
        one, other = getattr(narrow, name), getattr(wide, name)
        if one != other:
            yield f"{name} {one} and {other}"
    moved = narrow.vector is None and narrow.length - more != wide.length
    if moved and wide.length:
        yield f"length {narrow.length} and {wide.length}"
    if _registers(narrow) != _registers(wide):
        yield "x87, MMX or SSE"
    data = slice(DATA, DATA + 0x1000)
    if narrow.memory[data] != wide.memory[data]:
        yield "memory"


def _registers(ended: Ended) -> bytes:
    """Return those of x87 and SSE, without the pointers to the last instruction."""
    fpu = bytearray(ended.fpu)
    fpu[POINTERS] = bytes(POINTERS.stop - POINTERS.start)
    return bytes(fpu)


@cache
def _by_text() -> dict[str, Instruction]:
    return {_text(insn): insn for insn in walk.instructions(64)}


def _text(insn: Instruction) -> str:
    return ADDRESS.sub("[]", insn.text)


def _is_left_out(insn: Instruction, mode: str) -> bool:
    operands = insn.form.split(",")
    name = insn.mnemonic.split()[-1]
    return (
        name in LEFT_OUT
        or (name in BIT_STRINGS and operands[0][0] == "m" and operands[1] != "i")
        or rules.is_undefined(insn, mode)
        or rules.is_undefined(insn, "64")
        or any(SPECIAL.fullmatch(each) for each in operands)
        or (mode != "32" and insn.code[0] in rules.VEX)
    )
