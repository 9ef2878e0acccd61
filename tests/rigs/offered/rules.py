"""What an instruction may do on the bench other than run: faults, by the manual.

By mnemonic, each with the section that has it; and what leaves no trace though it ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rigs.offered.bench import Ended
    from rigs.offered.walk import Instruction

DE, DB, BP, OF, BR, UD, TS, NP, SS, GP, PF = 0, 1, 3, 4, 5, 6, 10, 11, 12, 13, 14

FAULTS: Final[dict[str, frozenset[int]]] = {
    name: frozenset(vectors)
    for names, vectors in (
        ("div idiv", {DE}),  # Vol. 2A "DIV": by 0, as one state has it
        ("bound", {BR}),  # Vol. 2A "BOUND"
        ("int1", {DB}), ("int3", {BP}), ("into", {OF}),  # Vol. 2A "INT n/INTO/..."
        # Vol. 2A "LDS/LES/...", "MOV", "POP": selectors of what is not there.
        ("les lds lss lfs lgs mov", {GP, NP, SS}),
        ("pop", {GP, SS}),
        # A far pointer to data, or to nothing: Vol. 2A "JMP", "CALL", 2B "RET", "IRET".
        ("ljmp lcall jmp call", {GP, NP, SS, TS, PF}),
        ("iret iretd iretq retf retfq", {GP, NP, SS, TS}),
        ("lldt ltr", {GP, NP}),  # Vol. 2A "LLDT", "LTR": no such descriptor
        ("lgdt lidt", {GP}),  # Vol. 2A "LGDT/LIDT": a base that is not canonical
        ("sysenter sysexit sysexitq", {GP}),  # Vol. 2B: IA32_SYSENTER_CS is 0
        ("xgetbv xsetbv", {GP}),  # Vol. 2D: ECX names no XCR, EAX holds no XCR0
        ("rdpmc", {GP}),  # Vol. 2B "RDPMC": ECX names no counter
        ("rdmsr wrmsr", {GP}),  # Vol. 2B "RDMSR": ECX names no MSR
        # Vol. 2 "XRSTOR", "FXRSTOR", "LDMXCSR": reserved bits of memory's content.
        ("xrstor xrstor64 fxrstor fxrstor64 ldmxcsr", {GP}),
        ("bt bts btr btc", {PF}),  # Vol. 2A "BT": a bit far from the base
        ("ret", {GP}),
    )
    for name in names.split()
}  # fmt: skip
"""Mnemonic -> vectors."""

NO_TRACE: Final[dict[str, str]] = {
    name: source
    for names, source in (
        ("nop fnop", 'Vol. 2B "NOP", 2A "FNOP"'),
        ("fdisi8087_nop feni8087_nop", "Vol. 1: FDISI and FENI do nothing since i287"),
    )
    for name in names.split()
}
"""What may leave everything as it was, whatever that was."""

MISREAD: Final = frozenset(
    (("movbe", "r64,m32"), ("movbe", "m32,r64"))  # F3 is no prefix of MOVBE
)
"""What the disassembler takes for an instruction and is none (Vol. 2)."""

REAL: Final = frozenset(
    ("arpl", "sldt", "str", "lldt", "ltr", "lar", "lsl", "verr", "verw")
)
"""#UD outside protected mode (the "Real-Address Mode Exceptions" of each)."""
ONLY_64: Final = frozenset(("swapgs", "syscall", "sysret"))
"""#UD outside 64-bit mode (Vol. 2B "SWAPGS", "SYSCALL", "SYSRET")."""
UNDEFINED: Final = frozenset(("ud0", "ud1", "ud2", "rsm"))
"""#UD everywhere (Vol. 2B "UD", and "RSM" outside system-management mode)."""
NO_CR: Final = frozenset(f"cr{n}" for n in (1, 5, 6, 7, *range(9, 16)))
VEX: Final = frozenset((0xC4, 0xC5))


def is_undefined(insn: Instruction, mode: str) -> bool:
    """Tell whether the manual has #UD for it in that mode, offered or not."""
    name, operands = insn.mnemonic, insn.form.split(",")
    return (
        name in UNDEFINED
        or (insn.mnemonic, insn.form) in MISREAD
        or (mode != "64" and name in ONLY_64)
        or (mode == "real" and (name in REAL or _is_vex(insn)))
        or (name == "mov" and operands[0] == "cs")
        or (name == "mov" and not NO_CR.isdisjoint(operands))
    )


def may_raise(insn: Instruction) -> frozenset[int]:
    """Return the vectors that the states of the bench may bring about."""
    name, operands = insn.mnemonic.split()[-1], insn.form.split(",")
    if name == "int":
        return frozenset((insn.code[-1],))
    if name == "mov" and any(each.startswith("cr") for each in operands):
        return frozenset((GP,))  # Vol. 2B "MOV - Control": reserved bits
    if name == "mov" and operands[0] not in SEGMENTS:
        return frozenset()
    if name == "pop" and operands[0] not in SEGMENTS:
        return frozenset()
    return FAULTS.get(name, frozenset())


SEGMENTS: Final = frozenset(("es", "ss", "ds", "fs", "gs"))


def leaves_no_trace(insn: Instruction, begun: Ended, ended: Ended) -> bool:
    """Tell whether nothing but RIP is other than it was, and nothing was asked."""
    return (
        ended._replace(length=0) == begun._replace(length=0)
        and ended.length == len(insn.code)
        and ended.vector is None
    )


def _is_vex(insn: Instruction) -> bool:
    """Tell whether it has a VEX prefix, and is no LES or LDS."""
    return insn.code[0] in VEX and insn.mnemonic not in {"les", "lds"}
