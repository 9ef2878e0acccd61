"""Where the rules stand that the engine itself applies, by volume and title."""

from __future__ import annotations

from typing import Final

from lapis_engine.cpu.breach import Breach

_BY_SECTION: Final = {
    'Vol. 2B "SYSCALL", "SYSRET"': (
        Breach.SCE, Breach.CALL_MODE, Breach.RETURN_RSP,
    ),
    'Vol. 2B "SYSENTER", "SYSEXIT"': (
        Breach.CALL_VENDOR, Breach.CALL_REAL, Breach.CALL_CPL, Breach.SYSENTER_CS,
    ),
    'Vol. 1 "Canonical Addressing"': (Breach.RETURN_RIP,),
    'Vol. 2A "MOV"': (Breach.NULL_SS_RPL,),
    'Vol. 2A "LLDT"; Vol. 2A "LTR"': (
        Breach.NULL_TR, Breach.LOCAL_SELECTOR, Breach.TABLE_LIMIT,
        Breach.DESCRIPTOR_TYPE, Breach.DESCRIPTOR_TOP, Breach.DESCRIPTOR_BASE,
    ),
    'Vol. 2A "LGDT/LIDT"': (Breach.TABLE_BASE,),
    'Vol. 2B "MOV - Move to/from Control Registers"': (
        Breach.CR0_HIGH, Breach.CR0_PG_PE, Breach.CR0_NW_CD, Breach.CR0_PAE,
        Breach.CR0_CS_L, Breach.CR0_64, Breach.CR3_RESERVED, Breach.CR4_RESERVED,
        Breach.CR4_PAE, Breach.CR8_RESERVED,
    ),
    'Vol. 2B "RDMSR", "WRMSR"; Vol. 4': (
        Breach.MSR_UNKNOWN, Breach.MSR_READ_ONLY, Breach.MSR_RESERVED,
        Breach.MSR_ADDRESS, Breach.MSR_MEMORY_TYPE,
    ),
    'Vol. 3A "Extended Feature Enable Register"': (
        Breach.EFER_RESERVED, Breach.EFER_LME,
    ),
    'Vol. 3A "Local APIC Status and Location"': (Breach.APICBASE,),
    'Vol. 3A "Extended XAPIC (x2APIC)"': (Breach.X2APIC_OFF, Breach.X2APIC_ACCESS),
    'Vol. 2A "JMP", "CALL", Vol. 2B "RET"': (Breach.CODE_L_AND_D, Breach.CODE_LIMIT),
    'Vol. 2A "IRET/IRETD/IRETQ"': (
        Breach.RETURN_NESTED, Breach.RETURN_CODE, Breach.RETURN_STACK,
    ),
    'Vol. 3A "Task Switching"': (
        Breach.TASK_PRIVILEGE, Breach.TASK_SELECTOR, Breach.TASK_BUSY,
        Breach.TASK_LINK, Breach.TASK_LIMIT, Breach.TASK_LDT, Breach.TASK_CODE,
        Breach.TASK_STACK, Breach.TASK_DATA,
    ),
    'Vol. 1 "MXCSR Control and Status Register"': (Breach.MXCSR_RESERVED,),
    'Vol. 2 "Exceptions Type 1, 2 and 4"': (Breach.UNALIGNED,),
    'Vol. 3A "Limit Checking", "Type Checking"': (Breach.SEGMENT,),
    'Vol. 2A "CPUID"': (Breach.NOT_OFFERED,),
    'Vol. 2D "XGETBV", "XSETBV"': (
        Breach.OSXSAVE, Breach.XSETBV_CPL, Breach.XCR_NUMBER, Breach.XCR0_BITS,
    ),
    'Vol. 2B "RDPMC"': (Breach.RDPMC_PCE, Breach.RDPMC_COUNTER),
}  # fmt: skip

SECTIONS: Final = {
    rule: section for section, rules in _BY_SECTION.items() for rule in rules
}
"""Rule -> section. The rules of `fault_rules` have theirs there."""
