"""Which rule of the manual an instruction broke, as a code.

Whoever finds a fault says so by one of these; the sentence is made of it last, in
`explain.rules`. A code is kept with the event: it is never renamed.
"""

from __future__ import annotations

from enum import StrEnum


class Breach(StrEnum):
    """Rules, by what they are about."""

    # System calls (SDM Vol. 2B "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT").
    SCE = "sce"
    CALL_MODE = "call-mode"
    CALL_VENDOR = "call-vendor"
    CALL_REAL = "call-real"
    CALL_CPL = "call-cpl"
    SYSENTER_CS = "sysenter-cs"
    RETURN_RIP = "return-rip"
    RETURN_RSP = "return-rsp"

    # Loads of segment and table registers (SDM Vol. 2A "MOV", "LLDT", "LTR", "LGDT").
    NULL_SS_RPL = "null-ss-rpl"
    NULL_TR = "null-tr"
    LOCAL_SELECTOR = "local-selector"
    TABLE_LIMIT = "table-limit"
    DESCRIPTOR_TYPE = "descriptor-type"
    DESCRIPTOR_TOP = "descriptor-top"
    DESCRIPTOR_BASE = "descriptor-base"
    TABLE_BASE = "table-base"

    # Control registers (SDM Vol. 2B "MOV - Move to/from Control Registers").
    CR0_HIGH = "cr0-high"
    CR0_PG_PE = "cr0-pg-pe"
    CR0_NW_CD = "cr0-nw-cd"
    CR0_PAE = "cr0-pae"
    CR0_CS_L = "cr0-cs-l"
    CR0_64 = "cr0-64"
    CR3_RESERVED = "cr3-reserved"
    CR4_RESERVED = "cr4-reserved"
    CR4_PAE = "cr4-pae"
    CR8_RESERVED = "cr8-reserved"

    # MSRs (SDM Vol. 2B "RDMSR", "WRMSR"; Vol. 4).
    MSR_UNKNOWN = "msr-unknown"
    MSR_READ_ONLY = "msr-read-only"
    MSR_RESERVED = "msr-reserved"
    MSR_ADDRESS = "msr-address"
    MSR_MEMORY_TYPE = "msr-memory-type"
    EFER_RESERVED = "efer-reserved"
    EFER_LME = "efer-lme"
    APICBASE = "apicbase"
    X2APIC_OFF = "x2apic-off"
    X2APIC_ACCESS = "x2apic-access"

    # Far transfers (SDM Vol. 2A "JMP", "CALL", Vol. 2B "RET").
    CODE_L_AND_D = "code-l-and-d"
    CODE_LIMIT = "code-limit"

    # IRET (SDM Vol. 2A "IRET/IRETD/IRETQ").
    RETURN_NESTED = "return-nested"
    RETURN_CODE = "return-code"
    RETURN_STACK = "return-stack"

    # Task switches (SDM Vol. 3A "Task Switching").
    TASK_PRIVILEGE = "task-privilege"
    TASK_SELECTOR = "task-selector"
    TASK_BUSY = "task-busy"
    TASK_LINK = "task-link"
    TASK_LIMIT = "task-limit"
    TASK_LDT = "task-ldt"
    TASK_CODE = "task-code"
    TASK_STACK = "task-stack"
    TASK_DATA = "task-data"

    # Loads of MXCSR (SDM Vol. 2A "LDMXCSR", "FXRSTOR", Vol. 2D "XRSTOR").
    MXCSR_RESERVED = "mxcsr-reserved"

    # Memory operands, of a strict machine.
    UNALIGNED = "unaligned"
    SEGMENT = "segment"

    # What CPUID does not offer, XSETBV and RDPMC (SDM Vol. 2).
    NOT_OFFERED = "not-offered"
    OSXSAVE = "osxsave"
    XSETBV_CPL = "xsetbv-cpl"
    XCR_NUMBER = "xcr-number"
    XCR0_BITS = "xcr0-bits"
    RDPMC_PCE = "rdpmc-pce"
    RDPMC_COUNTER = "rdpmc-counter"
