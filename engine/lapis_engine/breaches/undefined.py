"""#UD: what is no instruction, or not in this mode, or switched off.

SDM Vol. 3A "Interrupt 6 - Invalid Opcode Exception (#UD)", Vol. 2 of each instruction.
What CPUID does not offer never comes here: it is told by who refuses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach, named
from lapis_engine.cpu.disasm import detailed
from lapis_engine.cpu.marked import ONE_LOCKABLE, TWO_LOCKABLE
from lapis_engine.cpu.registers import (
    CR0_EM,
    CR4_OSFXSR,
    CR4_OSXMMEXCPT,
    CR4_OSXSAVE,
    CS,
)
from lapis_engine.cpu.strict import FAR, SHA
from lapis_engine.vie.reach import GROUP_5

if TYPE_CHECKING:
    from lapis_engine.breaches.case import FaultCase, Found

ASKED: Final = {0x0B: "UD2", 0xB9: "UD1", 0xFF: "UD0"}
"""Behind 0F."""
NOT_IN_64: Final = frozenset(
    {0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x27, 0x2F, 0x37, 0x3F, 0x60, 0x61}
    | {0x82, 0x9A, 0xCE, 0xD4, 0xD5, 0xD6, 0xEA}
)
PROTECTED: Final = ("SLDT", "STR", "LLDT", "LTR", "VERR", "VERW")
"""By ModRM.reg behind 0F 00."""
ARPL: Final = 0x63
LAR_LSL: Final = {0x02: "LAR", 0x03: "LSL"}
RSM: Final = 0xAA
FROM_CR, TO_CR = 0x20, 0x22
CONTROL: Final = frozenset({0, 2, 3, 4, 8})
FROM_SEGMENT, TO_SEGMENT = 0x8C, 0x8E
MEMORY_ONE: Final = frozenset({0x62, 0x8D, 0xC4, 0xC5})
MEMORY_TWO: Final = frozenset({0x13, 0x17, 0x2B, 0xB2, 0xB4, 0xB5, 0xC3, 0xE7})
XMM: Final = frozenset(
    {*range(0x10, 0x18), *range(0x28, 0x30), *range(0x50, 0x60), 0xC2, 0xC6}
)
"""Behind 0F: they use XMM whatever the prefix."""
MMX_OR_XMM: Final = frozenset({*range(0x60, 0x80), 0xC4, 0xC5, *range(0xD0, 0xFF)})
"""Behind 0F: XMM with 66, F2 or F3, else MMX."""
ALL_MASKED: Final = 0x1F80
MXCSR_FLAGS: Final = 0x3F


def undefined(it: FaultCase) -> Found | None:
    """Return the rule that makes the instruction a #UD."""
    return (
        _lock(it)
        or _asked(it)
        or _mode(it)
        or _operand(it)
        or _switched_off(it)
        or _opcode(it)
    )


def _lock(it: FaultCase) -> Found | None:
    if not it.at.lock:
        return None
    lockable = {1: ONE_LOCKABLE, 2: TWO_LOCKABLE}.get(it.table, {})
    if it.reg in lockable.get(it.opcode, ()) and not it.names_register:
        return None
    return Breach.LOCK_PREFIX, (it.shown,)


def _asked(it: FaultCase) -> Found | None:
    if it.table != 2 or it.opcode not in ASKED:
        return None
    return Breach.UNDEFINED, (named(ASKED[it.opcode]),)


def _mode(it: FaultCase) -> Found | None:
    if it.bits == 64 and it.table == 1 and it.opcode in NOT_IN_64:
        return Breach.OPCODE_64, (it.opcode,)
    if it.table == 2 and it.opcode == RSM:
        return Breach.RSM, (it.opcode,)
    if it.is_protected:
        return None
    name = None
    if it.table == 1 and it.opcode == ARPL:
        name = "ARPL"
    elif it.table == 2 and it.opcode == 0 and 0 <= it.reg < len(PROTECTED):
        name = PROTECTED[it.reg]
    elif it.table == 2:
        name = LAR_LSL.get(it.opcode)
    return None if name is None else (Breach.NEEDS_PROTECTED, (named(name),))


def _operand(it: FaultCase) -> Found | None:
    if it.table == 1 and it.opcode in {FROM_SEGMENT, TO_SEGMENT}:
        is_cs = it.opcode == TO_SEGMENT and it.reg == CS
        return (Breach.SEGMENT_REGISTER, (it.reg,)) if is_cs or it.reg > 5 else None
    if it.table == 2 and it.opcode in {FROM_CR, TO_CR}:
        number = it.reg | (it.at.rex & 4) << 1
        return None if number in CONTROL else (Breach.CONTROL_REGISTER, (number,))
    if not it.names_register:
        return None
    needs = it.opcode in MEMORY_ONE or (it.opcode == GROUP_5 and it.reg in FAR)
    if it.table != 1:
        needs = it.table == 2 and (
            it.opcode in MEMORY_TWO or (it.opcode == 0xC7 and it.reg == 1)
        )
    return (Breach.NEEDS_MEMORY, (it.shown,)) if needs else None


def _switched_off(it: FaultCase) -> Found | None:
    """Return what CR0 or CR4 refuses of SSE and XSAVE."""
    if it.table == 1:
        return None
    regs, prefixed = it.regs, it.at.other_opsize or it.at.rep or it.at.repne
    is_xmm = it.table == 2 and it.opcode in XMM
    is_mmx = it.table == 2 and it.opcode in MMX_OR_XMM
    if it.table != 2:
        is_xmm = bool(prefixed) or (it.table == 0x38 and it.opcode in SHA)
        is_mmx = not is_xmm
    is_mxcsr = it.table == 2 and it.opcode == 0xAE and it.reg in {2, 3}
    if (is_xmm or is_mmx or is_mxcsr) and regs.cr0 & CR0_EM:
        return Breach.CR0_EM, (regs.cr0,)
    uses_xmm = is_xmm or is_mxcsr or (is_mmx and prefixed)
    if uses_xmm and not regs.cr4 & CR4_OSFXSR:
        return Breach.CR4_OSFXSR, (regs.cr4,)
    is_xgetbv = it.table == 2 and it.opcode == 0x01 and it.modrm == 0xD0
    is_xsave = it.table == 2 and it.opcode == 0xAE and it.reg in {4, 5, 6}
    if (is_xgetbv or (is_xsave and not it.names_register)) and (
        not regs.cr4 & CR4_OSXSAVE
    ):
        return Breach.OSXSAVE, (regs.cr4,)
    mxcsr = regs.context.floats.mxcsr
    unmasked = mxcsr & MXCSR_FLAGS & ~(mxcsr >> 7)
    if uses_xmm and unmasked and not regs.cr4 & CR4_OSXMMEXCPT:
        return Breach.SIMD_MASKED, (regs.cr4,)
    return None


RESERVED: Final = {
    (1, 0x8F): range(1, 8), (1, 0xC6): range(1, 8), (1, 0xC7): range(1, 8),
    (1, 0xFE): range(2, 8), (1, 0xFF): range(7, 8), (2, 0x00): range(6, 8),
    (2, 0xBA): range(4), (1, 0xF6): (1,), (1, 0xF7): (1,),
}  # fmt: skip
"""(Table, opcode) -> ModRM.reg of which there is nothing (SDM Vol. 2D "Opcode
Extensions For One- And Two-byte Opcodes")."""


OTHERS: Final = frozenset({0x0E, 0x0F, 0x37, 0x78, 0x79})
"""Behind 0F: 3DNow!, GETSEC, VMREAD and VMWRITE, which no model offers."""
WAIT: Final = frozenset({0xC8, 0xC9})
"""ModRM behind 0F 01: MONITOR and MWAIT."""
VIRTUAL: Final = frozenset(
    {*range(0xC0, 0xC6), *range(0xD8, 0xE0), *range(0xFA, 0x100)}
)
"""ModRM behind 0F 01, of virtual machines for the most part."""
PAIR: Final = (2, 0xC7)
"""With memory it is CMPXCHG8B, or for virtual machines."""


def _opcode(it: FaultCase) -> Found | None:
    """Return that there is no such opcode, if the disassembler knows none."""
    key = it.table, it.opcode
    is_vmx = key == PAIR and it.reg != 1 and not it.names_register
    if it.reg in RESERVED.get(key, ()) or is_vmx:
        return Breach.OPCODE, (it.shown,)
    is_other = it.opcode in OTHERS or (it.opcode == 0x01 and it.modrm in VIRTUAL)
    if it.table == 2 and is_other:
        return Breach.OPCODE, (it.shown,)
    is_wait = it.table == 2 and it.opcode == 0x01 and it.modrm in WAIT
    if is_wait or it.table not in {1, 2}:
        return Breach.NOT_OFFERED, (it.shown,)  # each is of a feature of its own
    known = next(detailed(it.bits).disasm(it.code, 0, 1), None)
    return None if known is not None else (Breach.OPCODE, (it.shown,))
