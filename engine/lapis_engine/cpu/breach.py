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

    # Memory operands. `SEGMENT` is what any of the next three was once.
    UNALIGNED = "unaligned"
    SEGMENT = "segment"

    SEGMENT_NULL = "segment-null"
    SEGMENT_LIMIT = "segment-limit"
    SEGMENT_TYPE = "segment-type"
    NOT_CANONICAL = "not-canonical"
    ALIGNMENT_CHECK = "alignment-check"

    # Delivery of an event (SDM Vol. 3A "Exception and Interrupt Handling").
    VECTOR_TABLE = "vector-table"
    GATE_LIMIT = "gate-limit"
    GATE_TYPE = "gate-type"
    GATE_DPL = "gate-dpl"
    GATE_ABSENT = "gate-absent"
    HANDLER_NULL = "handler-null"
    HANDLER_TYPE = "handler-type"
    HANDLER_DPL = "handler-dpl"
    HANDLER_64 = "handler-64"
    HANDLER_RIP = "handler-rip"
    HANDLER_V86 = "handler-v86"
    TSS_LIMIT = "tss-limit"
    STACK_LIMIT = "stack-limit"
    STACK_CANONICAL = "stack-canonical"
    RING_STACK_NULL = "ring-stack-null"
    RING_STACK_PRIVILEGE = "ring-stack-privilege"
    RING_STACK_TYPE = "ring-stack-type"
    DESCRIPTOR_LIMIT = "descriptor-limit"
    SEGMENT_ABSENT = "segment-absent"

    DOUBLE = "double"
    """A fault while another one was delivered (SDM Vol. 3A "Double Fault")."""

    # Translation (SDM Vol. 3A "Page-Fault Exceptions").
    PAGE_ABSENT = "page-absent"
    PAGE_RESERVED = "page-reserved"
    PAGE_READ_ONLY = "page-read-only"
    PAGE_SUPERVISOR = "page-supervisor"
    PAGE_NO_EXECUTE = "page-no-execute"
    PAGE_SMEP = "page-smep"
    PAGE_SMAP = "page-smap"

    # Privilege (SDM Vol. 3A "Privileged Instructions", Vol. 1 "Input/Output").
    PRIVILEGED = "privileged"
    IOPL = "iopl"
    IOPL_V86 = "iopl-v86"
    PORT_CLOSED = "port-closed"
    TIME_STAMP = "time-stamp"

    # What is no instruction (SDM Vol. 2).
    LOCK_PREFIX = "lock-prefix"
    OPCODE = "opcode"
    OPCODE_64 = "opcode-64"
    UNDEFINED = "undefined"
    NEEDS_MEMORY = "needs-memory"
    NEEDS_PROTECTED = "needs-protected"
    SEGMENT_REGISTER = "segment-register"
    CONTROL_REGISTER = "control-register"
    TOO_LONG = "too-long"
    CR0_EM = "cr0-em"
    CR4_OSFXSR = "cr4-osfxsr"
    CR4_DE = "cr4-de"
    RSM = "rsm"

    # Loads of segment registers (SDM Vol. 2A "MOV", "POP", "LDS/LES/LFS/LGS/LSS").
    NULL_SS = "null-ss"
    NO_LDT = "no-ldt"
    SS_PRIVILEGE = "ss-privilege"
    SS_TYPE = "ss-type"
    DATA_TYPE = "data-type"
    DATA_PRIVILEGE = "data-privilege"

    # Far transfers through descriptors and gates.
    CS_NULL = "cs-null"
    CS_TYPE = "cs-type"
    CS_PRIVILEGE = "cs-privilege"
    CALL_GATE = "call-gate"

    # What else the processor tells of (SDM Vol. 3A "Exception and Interrupt
    # Reference").
    DEVICE_TS = "device-ts"
    DEVICE_EM = "device-em"
    X87_ERROR = "x87-error"
    SIMD_ERROR = "simd-error"
    SIMD_MASKED = "simd-masked"
    DIVIDE = "divide"
    BOUND = "bound"
    DR_HIGH = "dr-high"
    DEBUG = "debug"
    INJECTED = "injected"

    # What CPUID does not offer, XSETBV and RDPMC (SDM Vol. 2).
    NOT_OFFERED = "not-offered"
    OSXSAVE = "osxsave"
    XSETBV_CPL = "xsetbv-cpl"
    XCR_NUMBER = "xcr-number"
    XCR0_BITS = "xcr0-bits"
    RDPMC_PCE = "rdpmc-pce"
    RDPMC_COUNTER = "rdpmc-counter"


def named(name: str) -> int:
    """Return a name as a value of a rule: a letter a byte, the first one on top."""
    return int.from_bytes(name.encode("ascii"), "big")
