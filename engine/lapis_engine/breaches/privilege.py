"""#GP of instructions that the privilege level, IOPL or CR4.TSD refuses.

SDM Vol. 3A "Privileged Instructions", Vol. 3B "Sensitive Instructions", Vol. 1 "I/O
Privilege Level".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.case import fits
from lapis_engine.cpu.breach import Breach, named
from lapis_engine.cpu.fault import GP, UD

if TYPE_CHECKING:
    from lapis_engine.breaches.case import FaultCase, Found

PRIVILEGED: Final = {
    (1, 0xF4): "HLT", (2, 0x06): "CLTS", (2, 0x08): "INVD", (2, 0x09): "WBINVD",
    (2, 0x20): "MOV CR", (2, 0x22): "MOV CR", (2, 0x21): "MOV DR", (2, 0x23): "MOV DR",
    (2, 0x30): "WRMSR", (2, 0x32): "RDMSR", (2, 0x07): "SYSRET", (2, 0x35): "SYSEXIT",
    (0x38, 0x82): "INVPCID",
}  # fmt: skip
"""(Table, opcode) -> mnemonic."""
GROUPS: Final = {(0x00, 2): "LLDT", (0x00, 3): "LTR"}
"""(Opcode behind 0F, ModRM.reg) -> mnemonic."""
MEMORY: Final = {
    (0x01, 2): "LGDT", (0x01, 3): "LIDT", (0x01, 7): "INVLPG",
}  # fmt: skip
"""The same, with memory alone."""
LMSW: Final = (0x01, 6)
WHOLE: Final = {0xC8: "MONITOR", 0xC9: "MWAIT", 0xD1: "XSETBV", 0xF8: "SWAPGS"}
"""ModRM behind 0F 01 -> mnemonic."""
USER_ACCESS: Final = {0xCA: "CLAC", 0xCB: "STAC"}
"""The same of what is #UD and not #GP."""
FLAG: Final = {0xFA: "CLI", 0xFB: "STI"}
V86: Final = {0x9C: "PUSHF", 0x9D: "POPF", 0xCD: "INT", 0xCF: "IRET", **FLAG}
RDTSC, RDTSCP = 0x31, 0xF9
CR4_TSD: Final = 1 << 2


def refused(it: FaultCase) -> Found | None:
    """Return the rule, if one of these was broken."""
    if it.table == 2 and it.opcode == 0x01 and it.modrm in USER_ACCESS and it.cpl:
        if it.vector == UD:
            name = USER_ACCESS[it.modrm]
            return Breach.PRIVILEGED, (it.cpl, named(name))
        return None
    if not fits(it, GP) or not it.cpl:
        return None
    privileged = _privileged(it)
    if privileged is not None:
        return Breach.PRIVILEGED, (it.cpl, named(privileged))
    if it.table == 1 and it.is_v86 and it.opcode in V86 and it.iopl < 3:
        return Breach.IOPL_V86, (it.iopl, named(V86[it.opcode]))
    if it.table == 1 and it.opcode in FLAG and it.cpl > it.iopl:
        return Breach.IOPL, (it.cpl, it.iopl, named(FLAG[it.opcode]))
    return _time_stamp(it)


def _privileged(it: FaultCase) -> str | None:
    if it.table != 2 or (2, it.opcode) in PRIVILEGED:
        return PRIVILEGED.get((it.table, it.opcode))
    key = it.opcode, it.reg
    if key == LMSW:
        return "LMSW"
    if it.opcode == 0x01 and it.names_register:
        return WHOLE.get(it.modrm)
    return GROUPS.get(key) or MEMORY.get(key)


def _time_stamp(it: FaultCase) -> Found | None:
    if it.table != 2 or not it.regs.cr4 & CR4_TSD:
        return None
    name = "RDTSC" if it.opcode == RDTSC else None
    if it.opcode == 0x01 and it.modrm == RDTSCP:
        name = "RDTSCP"
    if name is None:
        return None
    return Breach.TIME_STAMP, (it.cpl, it.regs.cr4, named(name))
