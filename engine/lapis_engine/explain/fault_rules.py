"""The rules by which the processor itself refuses: in words, and where they stand.

Numbers in braces are values of the rule, as whoever raises the fault gives them
(`cpu.breach`); a sentence without values is for events that have none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lapis_engine.cpu.breach import Breach


class RuleWords(NamedTuple):
    """One rule in words."""

    section: str
    """Of the SDM, by volume and title."""
    alone: str
    told: str
    """With its values."""


GATES: Final = 'Vol. 3A "IDT Descriptors"'
PROTECTION: Final = (
    'Vol. 3A "Protection of Exception- and Interrupt-Handler Procedures"'
)
LONG: Final = 'Vol. 3A "Exception and Interrupt Handling in 64-bit Mode"'
INVALID_TSS: Final = 'Vol. 3A "Interrupt 10 - Invalid TSS Exception (#TS)"'
LIMITS: Final = 'Vol. 3A "Limit Checking"'
TYPES: Final = 'Vol. 3A "Type Checking"'
CANONICAL: Final = 'Vol. 1 "Canonical Addressing"'
PAGES: Final = 'Vol. 3A "Page-Fault Exceptions"'
RIGHTS: Final = 'Vol. 3A "Determination of Access Rights"'
DATA: Final = 'Vol. 3A "Privilege Level Checking When Accessing Data Segments"'
STACKS: Final = 'Vol. 3A "Privilege Level Checking When Loading the SS Register"'
TRANSFERS: Final = (
    'Vol. 3A "Privilege Level Checking When Transferring Program Control Between Code '
    'Segments"'
)
ABSENT: Final = 'Vol. 3A "Interrupt 11 - Segment Not Present (#NP)"'
OPCODES: Final = 'Vol. 3A "Interrupt 6 - Invalid Opcode Exception (#UD)"'
DEVICE: Final = 'Vol. 3A "Interrupt 7 - Device Not Available Exception (#NM)"'
SSE: Final = 'Vol. 2A "SIMD Floating-Point Exceptions"'

WORDS: Final = {
    # Delivery.
    Breach.VECTOR_TABLE: RuleWords(
        'Vol. 3B "Interrupt and Exception Handling"',
        "the vector is beyond the limit of the table of vectors",
        "vector {0:#x} is beyond the limit of the table of vectors: the IDT limit is "
        "{1:#x}",
    ),
    Breach.GATE_LIMIT: RuleWords(
        GATES,
        "the gate is beyond the limit of the IDT",
        "the gate of vector {0:#x} is beyond the limit of the IDT: the IDT limit is "
        "{1:#x}",
    ),
    Breach.GATE_TYPE: RuleWords(
        GATES,
        "what is in the IDT is no gate",
        "the entry of vector {0:#x} in the IDT is of type {1:#x}: {1:type}, and no "
        "interrupt, trap or task gate that is valid in this mode",
    ),
    Breach.GATE_DPL: RuleWords(
        PROTECTION,
        "the DPL of the gate is below the CPL, from which INT n comes",
        "the gate of vector {0:#x} has DPL {1}, and INT n comes from CPL {2}",
    ),
    Breach.GATE_ABSENT: RuleWords(
        ABSENT,
        "the gate is not present",
        "the gate of vector {0:#x} is not present: its P is 0",
    ),
    Breach.HANDLER_NULL: RuleWords(
        PROTECTION,
        "the selector in the gate is null",
        "the selector in the gate of vector {1:#x} is null",
    ),
    Breach.HANDLER_TYPE: RuleWords(
        PROTECTION,
        "the gate names no code segment",
        "the selector {0:#x} in the gate names {1:type}, and no code segment",
    ),
    Breach.HANDLER_DPL: RuleWords(
        PROTECTION,
        "the code segment of the gate is less privileged than what is interrupted",
        "the selector {0:#x} in the gate names code with DPL {1}, above the CPL, {2}",
    ),
    Breach.HANDLER_64: RuleWords(
        LONG,
        "the code segment of the gate is no 64-bit one",
        "the selector {0:#x} in the gate names no 64-bit code segment: L must be 1 and "
        "D 0",
    ),
    Breach.HANDLER_RIP: RuleWords(
        LONG,
        "the RIP in the gate is not canonical",
        "the RIP {2:#x} in the gate of vector {1:#x} is not canonical",
    ),
    Breach.HANDLER_V86: RuleWords(
        'Vol. 3B "Class 1 - Hardware Interrupt and Exception Handling in Virtual-8086 '
        'Mode"',
        "a handler of what comes in virtual-8086 mode runs at CPL 0",
        "the selector {0:#x} in the gate names code with DPL {1}; from virtual-8086 "
        "mode it must be 0, and not conforming",
    ),
    Breach.TSS_LIMIT: RuleWords(
        INVALID_TSS,
        "the stack to switch to is beyond the limit of the TSS",
        "the stack to switch to is in {2} bytes at {1:#x} of the TSS {0:#x}, beyond "
        "its limit, {3:#x}",
    ),
    Breach.STACK_LIMIT: RuleWords(
        'Vol. 3A "Interrupt 12 - Stack Fault Exception (#SS)"',
        "the stack has no room within the limit of SS",
        "{2} bytes on the stack at SS:{1:#x} are beyond the limit, {3:#x}, of SS "
        "{0:#x}",
    ),
    Breach.STACK_CANONICAL: RuleWords(
        CANONICAL,
        "the stack is at no canonical address",
        "the stack pointer {1:#x} is not canonical",
    ),
    Breach.RING_STACK_NULL: RuleWords(
        INVALID_TSS,
        "the TSS has a null selector for the stack to switch to",
        "SS{1} in the TSS, the stack to switch to, is null",
    ),
    Breach.RING_STACK_PRIVILEGE: RuleWords(
        INVALID_TSS,
        "the stack that the TSS names is of another privilege",
        "SS{2} in the TSS is {0:#x}, with RPL {0:rpl} and DPL {1}: both must be {2}",
    ),
    Breach.RING_STACK_TYPE: RuleWords(
        INVALID_TSS,
        "the TSS names no writable data segment for the stack to switch to",
        "the selector {0:#x} for the stack in the TSS names {1:type}, and no writable "
        "data segment",
    ),
    Breach.DOUBLE: RuleWords(
        'Vol. 3A "Interrupt 8 - Double Fault Exception (#DF)"',
        "a fault while another one was delivered",
        "{1:vector} while {0:vector} was delivered",
    ),
    # Selectors.
    Breach.DESCRIPTOR_LIMIT: RuleWords(
        LIMITS,
        "the descriptor is beyond the limit of its table",
        "the descriptor of selector {0:#x} is beyond the limit, {1:#x}, of the "
        "{0:table}",
    ),
    Breach.NO_LDT: RuleWords(
        'Vol. 3A "Segment Selectors"',
        "the selector names the LDT, and there is none",
        "selector {0:#x} names the LDT, and there is none: LDTR is {1:#x}",
    ),
    Breach.SEGMENT_ABSENT: RuleWords(
        ABSENT,
        "the descriptor is not present",
        "the descriptor of selector {0:#x} is not present: its P is 0",
    ),
    Breach.NULL_SS: RuleWords(
        'Vol. 2A "MOV"',
        "SS takes no null selector here",
        "SS takes no null selector, {0:#x}, at CPL {1} in {2}-bit code",
    ),
    Breach.SS_PRIVILEGE: RuleWords(
        STACKS,
        "RPL and DPL of SS must be the CPL",
        "SS {0:#x}: RPL {0:rpl} and DPL {1} must both be the CPL, {2}",
    ),
    Breach.SS_TYPE: RuleWords(
        TYPES,
        "SS takes a writable data segment alone",
        "SS {0:#x}: the descriptor is {1:type}, and no writable data segment",
    ),
    Breach.DATA_TYPE: RuleWords(
        TYPES,
        "a data segment register takes data, or code that can be read",
        "selector {0:#x}: the descriptor is {1:type}, and neither data nor code that "
        "can be read",
    ),
    Breach.DATA_PRIVILEGE: RuleWords(
        DATA,
        "the DPL of the data segment is below CPL or RPL",
        "selector {0:#x}: DPL {1} is below the CPL, {2}, or the RPL, {0:rpl}",
    ),
    Breach.CS_NULL: RuleWords(
        TRANSFERS,
        "CS takes no null selector",
        "CS takes no null selector, {0:#x}",
    ),
    Breach.CS_TYPE: RuleWords(
        TRANSFERS,
        "the selector names neither code nor a gate or task that may be there",
        "selector {0:#x}: the descriptor is {1:type}, to which there is no far "
        "transfer here",
    ),
    Breach.CS_PRIVILEGE: RuleWords(
        TRANSFERS,
        "the code segment is of another privilege",
        "selector {0:#x}: {3:type} with DPL {1} and RPL {0:rpl} is not for CPL {2}",
    ),
    Breach.CALL_GATE: RuleWords(
        'Vol. 3A "Accessing a Code Segment Through a Call Gate"',
        "the DPL of the call gate is below CPL or RPL",
        "the call gate {0:#x}: DPL {1} is below the CPL, {2}, or the RPL, {0:rpl}",
    ),
    # Operands.
    Breach.SEGMENT_NULL: RuleWords(
        DATA,
        "the segment register is null",
        "{0:segment} is null, selector {3:#x}: {2} bytes at {0:segment}:{1:#x}",
    ),
    Breach.SEGMENT_LIMIT: RuleWords(
        LIMITS,
        "the operand is beyond the limit of its segment",
        "{2} bytes at {0:segment}:{1:#x} are beyond the limit, {4:#x}, of selector "
        "{3:#x}",
    ),
    Breach.SEGMENT_TYPE: RuleWords(
        TYPES,
        "the segment is not to be written, or not to be read",
        "{2} bytes at {0:segment}:{1:#x}: selector {3:#x} is of a segment that is not "
        "to be written, or code that is not to be read",
    ),
    Breach.NOT_CANONICAL: RuleWords(
        CANONICAL,
        "the address is not canonical",
        "the address {0:#x} is not canonical: its bits 63:47 are not all alike",
    ),
    Breach.ALIGNMENT_CHECK: RuleWords(
        'Vol. 3A "Interrupt 17 - Alignment Check Exception (#AC)"',
        "an operand is not aligned, at CPL 3 with CR0.AM and RFLAGS.AC",
        "an operand at {0:#x} is not aligned to {1} bytes, at CPL 3 with CR0.AM and "
        "RFLAGS.AC",
    ),
    # Pages.
    Breach.PAGE_ABSENT: RuleWords(
        PAGES, "the page is not present", "{1:access} {0:#x}: no page is present there"
    ),
    Breach.PAGE_RESERVED: RuleWords(
        PAGES,
        "a reserved bit is set in a paging-structure entry",
        "{1:access} {0:#x}: a reserved bit is set in an entry on the way there",
    ),
    Breach.PAGE_READ_ONLY: RuleWords(
        RIGHTS, "the page is read-only", "{1:access} {0:#x}: R/W is 0 on the way there"
    ),
    Breach.PAGE_SUPERVISOR: RuleWords(
        RIGHTS,
        "the page is the supervisor's",
        "{1:access} {0:#x}: U/S is 0 on the way there",
    ),
    Breach.PAGE_NO_EXECUTE: RuleWords(
        RIGHTS,
        "the page is not to be executed",
        "{1:access} {0:#x}: NX is 1 on the way there",
    ),
    Breach.PAGE_SMEP: RuleWords(
        RIGHTS,
        "CR4.SMEP keeps the supervisor from fetching from a user's page",
        "{1:access} {0:#x}: CR4.SMEP is 1, and the page is a user's",
    ),
    Breach.PAGE_SMAP: RuleWords(
        RIGHTS,
        "CR4.SMAP keeps the supervisor from a user's page",
        "{1:access} {0:#x}: CR4.SMAP is 1, RFLAGS.AC is 0, and the page is a user's",
    ),
    # Privilege.
    Breach.PRIVILEGED: RuleWords(
        'Vol. 2 "{1:name}"; Vol. 3A "Privileged Instructions"',
        "the instruction is for CPL 0 alone",
        "CPL {0}: {1:name} is for CPL 0 alone",
    ),
    Breach.IOPL: RuleWords(
        'Vol. 2 "{2:name}"',
        "the CPL is above IOPL",
        "{2:name}: the CPL, {0}, is above IOPL, {1}",
    ),
    Breach.IOPL_V86: RuleWords(
        'Vol. 3B "Sensitive Instructions"',
        "virtual-8086 mode needs IOPL 3 for it",
        "{1:name} in virtual-8086 mode needs IOPL 3, and it is {0}",
    ),
    Breach.PORT_CLOSED: RuleWords(
        'Vol. 1 "I/O Permission Bit Map"',
        "the CPL is above IOPL, and the bit map of the TSS does not open the port",
        "port {0:#x}, {1} bytes: the CPL, {2}, is above IOPL, {3}, and the I/O "
        "permission bit map of TSS {4:#x} does not open it",
    ),
    Breach.TIME_STAMP: RuleWords(
        'Vol. 2B "RDTSC"',
        "RDTSC is for CPL 0 alone while CR4.TSD is 1",
        "CPL {0}, CR4 {1:#x}: {2:name} is for CPL 0 alone while TSD is 1",
    ),
    # No instructions.
    Breach.LOCK_PREFIX: RuleWords(
        'Vol. 2A "LOCK"',
        "LOCK stands before what it cannot lock",
        "{0:code}: LOCK is for memory operands of ADD, ADC, AND, BTC, BTR, BTS, "
        "CMPXCHG, DEC, INC, NEG, NOT, OR, SBB, SUB, XOR, XADD and XCHG alone",
    ),
    Breach.OPCODE: RuleWords(
        OPCODES, "the opcode is not defined", "{0:code}: the opcode is not defined"
    ),
    Breach.OPCODE_64: RuleWords(
        OPCODES,
        "it is no instruction in 64-bit mode",
        "{0:code} is no instruction in 64-bit mode",
    ),
    Breach.UNDEFINED: RuleWords(
        'Vol. 2B "UD"',
        "UD0, UD1 and UD2 are there to raise it",
        "{0:name} is there to raise it",
    ),
    Breach.NEEDS_MEMORY: RuleWords(
        OPCODES,
        "its operand must be memory, and is a register",
        "{0:code}: the operand must be memory, and is a register",
    ),
    Breach.NEEDS_PROTECTED: RuleWords(
        'Vol. 2 "{0:name}"',
        "it is not for real mode and virtual-8086 mode",
        "{0:name} is not for real mode and virtual-8086 mode",
    ),
    Breach.SEGMENT_REGISTER: RuleWords(
        'Vol. 2A "MOV"',
        "there is no such segment register to load",
        "segment register {0}: MOV loads no CS, 1, and there is no 6 and 7",
    ),
    Breach.CONTROL_REGISTER: RuleWords(
        'Vol. 2B "MOV - Move to/from Control Registers"',
        "there is no such control register",
        "there is no CR{0}",
    ),
    Breach.TOO_LONG: RuleWords(
        'Vol. 3A "Interrupt 13 - General Protection Exception (#GP)"',
        "the instruction has more than 15 bytes",
        "{0:code}: the instruction has more than 15 bytes",
    ),
    Breach.CR0_EM: RuleWords(
        SSE, "CR0.EM is 1", "CR0 {0:#x}: EM is 1, and SSE needs 0"
    ),
    Breach.CR4_OSFXSR: RuleWords(
        SSE, "CR4.OSFXSR is 0", "CR4 {0:#x}: OSFXSR is 0, and SSE needs 1"
    ),
    Breach.CR4_DE: RuleWords(
        'Vol. 3B "Debug Registers DR4 and DR5"',
        "CR4.DE is 1, and there are no DR4 and DR5 then",
        "CR4 {1:#x}: DE is 1, and there is no DR{0} then",
    ),
    Breach.RSM: RuleWords(
        'Vol. 2B "RSM"',
        "RSM is for system-management mode alone",
        "RSM is for system-management mode alone",
    ),
    # Others.
    Breach.DEVICE_TS: RuleWords(
        DEVICE, "CR0.TS is 1", "CR0 {0:#x}: TS is 1, a task was switched"
    ),
    Breach.DEVICE_EM: RuleWords(
        DEVICE, "CR0.EM is 1", "CR0 {0:#x}: EM is 1, there is no x87"
    ),
    Breach.X87_ERROR: RuleWords(
        'Vol. 3A "Interrupt 16 - x87 FPU Floating-Point Error (#MF)"',
        "an x87 exception that is not masked is pending",
        "x87 status {0:#x}, control {1:#x}: an exception that is not masked is pending",
    ),
    Breach.SIMD_ERROR: RuleWords(
        'Vol. 3A "Interrupt 19 - SIMD Floating-Point Exception (#XM)"',
        "an exception of SSE that is not masked",
        "MXCSR {0:#x}: an exception of SSE that is not masked",
    ),
    Breach.SIMD_MASKED: RuleWords(
        'Vol. 3A "Interrupt 19 - SIMD Floating-Point Exception (#XM)"',
        "an exception of SSE while CR4.OSXMMEXCPT is 0",
        "CR4 {0:#x}: an exception of SSE while OSXMMEXCPT is 0",
    ),
    Breach.DIVIDE: RuleWords(
        'Vol. 3A "Interrupt 0 - Divide Error Exception (#DE)"',
        "the divisor is 0, or the quotient does not fit",
        "the divisor is 0, or the quotient does not fit",
    ),
    Breach.BOUND: RuleWords(
        'Vol. 2A "BOUND"',
        "the index is out of bounds",
        "the index is out of bounds",
    ),
    Breach.DR_HIGH: RuleWords(
        'Vol. 2B "MOV - Move to/from Debug Registers"',
        "bits 63:32 of DR6 and DR7 are 0",
        "DR{0} {1:#x}: bits 63:32 must be 0",
    ),
    Breach.DEBUG: RuleWords(
        'Vol. 3B "Debug Exception (#DB) - Interrupt Vector 1"',
        "a breakpoint, a single step, INT1, or an access to a debug register",
        "DR6 {0:#x}: a breakpoint, a single step, INT1, or an access to a debug "
        "register",
    ),
    Breach.INJECTED: RuleWords(
        'Vol. 3A "Sources of Exceptions"',
        "it was injected, and no instruction raised it",
        "it was injected, and no instruction raised it",
    ),
}
