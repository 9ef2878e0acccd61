"""The rules of the manual that an instruction can break, in words, with sections."""

from __future__ import annotations

from typing import Final

from lapis_engine.apic import regs
from lapis_engine.cpu.breach import Breach
from lapis_engine.explain import fault_rules, sections
from lapis_engine.explain.rule_values import RuleValue

X2APIC: Final = 0x800
"""The MSR of the first register of the page."""

SENTENCES: Final = {
    Breach.SCE: "SYSCALL and SYSRET are off: EFER.SCE is 0",
    Breach.CALL_MODE: "SYSCALL and SYSRET are for 64-bit code alone",
    Breach.CALL_VENDOR: "a processor of AMD has no SYSENTER and SYSEXIT in long mode",
    Breach.CALL_REAL: "it is not for real mode",
    Breach.CALL_CPL: "it is for CPL 0 alone",
    Breach.SYSENTER_CS: "IA32_SYSENTER_CS holds a null selector",
    Breach.RETURN_RIP: "the RIP to return to is not canonical",
    Breach.RETURN_RSP: "the RSP to return with is not canonical",
    Breach.NULL_SS_RPL: "the RPL of a null selector for SS must be the CPL",
    Breach.NULL_TR: "LTR takes no null selector",
    Breach.LOCAL_SELECTOR: "the selector must name the GDT",
    Breach.TABLE_LIMIT: "the descriptor is beyond the limit of the GDT",
    Breach.DESCRIPTOR_TYPE: "the descriptor is of another type: LLDT takes an LDT, LTR "
    "an available TSS, in long mode a 64-bit one",
    Breach.DESCRIPTOR_TOP: "bits 12:8 of the last dword of a 16-byte descriptor are 0",
    Breach.DESCRIPTOR_BASE: "the base in the descriptor is not canonical",
    Breach.TABLE_BASE: "the base for GDTR or IDTR is not canonical",
    Breach.CR0_HIGH: "bits 63:32 of CR0 are reserved",
    Breach.CR0_PG_PE: "CR0.PG, paging, needs CR0.PE, protected mode",
    Breach.CR0_NW_CD: "CR0.NW needs CR0.CD",
    Breach.CR0_PAE: "with EFER.LME paging needs CR4.PAE",
    Breach.CR0_CS_L: "long mode cannot begin in a CS whose L bit is set",
    Breach.CR0_64: "paging cannot end in 64-bit code",
    Breach.CR3_RESERVED: "the address in CR3 has more bits than physical memory has",
    Breach.CR4_RESERVED: "a bit of CR4 that is reserved, or of what CPUID does not "
    "offer",
    Breach.CR4_PAE: "long mode needs CR4.PAE",
    Breach.CR8_RESERVED: "bits 63:4 of CR8 are reserved",
    Breach.MSR_UNKNOWN: "there is no such MSR",
    Breach.MSR_READ_ONLY: "the MSR is read-only",
    Breach.MSR_RESERVED: "a bit of the MSR that is reserved, or read-only",
    Breach.MSR_ADDRESS: "the MSR takes canonical addresses alone",
    Breach.MSR_MEMORY_TYPE: "a memory type that is reserved",
    Breach.EFER_RESERVED: "a bit of IA32_EFER that is reserved",
    Breach.EFER_LME: "EFER.LME cannot change while paging is on",
    Breach.APICBASE: "IA32_APIC_BASE: a reserved bit, or a way between modes of the "
    "APIC that there is not",
    Breach.X2APIC_OFF: "a register of the x2APIC, and the APIC is not in x2APIC mode",
    Breach.X2APIC_ACCESS: "no such register of the x2APIC, or it is not to be read or "
    "written like this",
    Breach.CODE_L_AND_D: "a code segment has L or D, and never both",
    Breach.CODE_LIMIT: "the target is beyond the limit of its code segment",
    Breach.RETURN_NESTED: "IRET with NT returns to no task in long mode",
    Breach.RETURN_CODE: "the CS to return to is null, of no code segment, or of "
    "another privilege than its RPL",
    Breach.RETURN_STACK: "the SS to return with is null, of no writable segment, or of "
    "another privilege than CS",
    Breach.TASK_PRIVILEGE: "the DPL of a TSS or task gate is below CPL or RPL",
    Breach.TASK_SELECTOR: "the selector of a TSS is null, or names the LDT",
    Breach.TASK_BUSY: "the selector names no TSS that is available: it may be busy",
    Breach.TASK_LINK: "the link to the last task names no busy TSS",
    Breach.TASK_LIMIT: "the limit of the TSS is too small",
    Breach.TASK_LDT: "the TSS names no LDT of the GDT that is present",
    Breach.TASK_CODE: "the TSS names no code segment of its CPL for CS",
    Breach.TASK_STACK: "the TSS names no writable segment of its CPL for SS",
    Breach.TASK_DATA: "the TSS names a data segment that cannot be read, or not from "
    "its CPL",
    Breach.MXCSR_RESERVED: "bits 31:16 of MXCSR are reserved",
    Breach.UNALIGNED: "an operand must be aligned",
    Breach.SEGMENT: "the operand is beyond the limit of its segment, or the segment "
    "is null or of another type",
    Breach.NOT_OFFERED: "CPUID does not offer the instruction",
    Breach.OSXSAVE: "CR4.OSXSAVE is 0",
    Breach.XSETBV_CPL: "XSETBV is for CPL 0 alone",
    Breach.XCR_NUMBER: "there is no extended control register but XCR0",
    Breach.XCR0_BITS: "a bit of XCR0 that CPUID does not offer, or x87 off",
    Breach.RDPMC_PCE: "RDPMC is for CPL 0 alone while CR4.PCE is 0",
    Breach.RDPMC_COUNTER: "there is no performance counter",
    **{rule: words.alone for rule, words in fault_rules.WORDS.items()},
}

ACCESS: Final = frozenset({
    Breach.MSR_UNKNOWN, Breach.MSR_READ_ONLY, Breach.MSR_RESERVED, Breach.MSR_ADDRESS,
    Breach.MSR_MEMORY_TYPE, Breach.EFER_RESERVED, Breach.EFER_LME, Breach.APICBASE,
    Breach.X2APIC_OFF, Breach.X2APIC_ACCESS,
})  # fmt: skip
"""Rules of RDMSR and WRMSR: their values begin with the number of the MSR, 1 for a
write, and what was to be written."""

NUMBERED: Final = {
    Breach.SCE: "EFER {0:#x}: SYSCALL and SYSRET are off, for SCE is 0",
    Breach.CALL_MODE: "in {0}-bit code: SYSCALL and SYSRET are for 64-bit code alone",
    Breach.CALL_VENDOR: "EFER {0:#x}, long mode: a processor of AMD has no SYSENTER "
    "and SYSEXIT there",
    Breach.CALL_REAL: "CR0 {0:#x}, real mode: it is not for that",
    Breach.CALL_CPL: "CPL {0}: it is for CPL 0 alone",
    Breach.SYSENTER_CS: "IA32_SYSENTER_CS {0:#x}: a null selector",
    Breach.RETURN_RIP: "RIP {0:#x}, to return to, is not canonical",
    Breach.RETURN_RSP: "RSP {0:#x}, to return with, is not canonical",
    Breach.NULL_SS_RPL: "SS {0:#x}: the RPL of a null selector must be the CPL, {1}",
    Breach.NULL_TR: "TR {0:#x}: LTR takes no null selector",
    Breach.LOCAL_SELECTOR: "selector {0:#x}: it must name the GDT",
    Breach.TABLE_LIMIT: "selector {0:#x}: the descriptor is beyond the limit of the "
    "GDT, {1:#x}",
    Breach.DESCRIPTOR_TYPE: "selector {0:#x}: a descriptor of type {1:#x}; LLDT takes "
    "an LDT, 2, LTR an available TSS, 1 or 9, in long mode 9",
    Breach.DESCRIPTOR_TOP: "selector {0:#x}: bits 12:8 of the last dword of a 16-byte "
    "descriptor are 0, and it is {1:#x}",
    Breach.DESCRIPTOR_BASE: "selector {0:#x}: the base {1:#x} is not canonical",
    Breach.TABLE_BASE: "the base {0:#x} for GDTR or IDTR is not canonical",
    Breach.CR0_HIGH: "CR0 {0:#x}: bits 63:32 are reserved",
    Breach.CR0_PG_PE: "CR0 {0:#x}: PG, paging, needs PE, protected mode",
    Breach.CR0_NW_CD: "CR0 {0:#x}: NW needs CD",
    Breach.CR0_PAE: "CR0 {0:#x}: with EFER.LME paging needs PAE, and CR4 is {1:#x}",
    Breach.CR0_CS_L: "CR0 {0:#x}: long mode cannot begin in a CS whose L bit is set",
    Breach.CR0_64: "CR0 {0:#x}: paging cannot end in 64-bit code",
    Breach.CR3_RESERVED: "CR3 {0:#x}: the address has more bits than physical memory "
    "has",
    Breach.CR4_RESERVED: "CR4 {0:#x}: {1:bits} reserved, or of what CPUID does not "
    "offer",
    Breach.CR4_PAE: "CR4 {0:#x}: long mode needs PAE",
    Breach.CR8_RESERVED: "CR8 {0:#x}: bits 63:4 are reserved",
    Breach.MSR_UNKNOWN: "there is no such MSR",
    Breach.MSR_READ_ONLY: "the MSR is read-only",
    Breach.MSR_RESERVED: "{0:bits} reserved, or read-only",
    Breach.MSR_ADDRESS: "the MSR takes canonical addresses alone",
    Breach.MSR_MEMORY_TYPE: "a memory type that is reserved",
    Breach.EFER_RESERVED: "{1:bits} reserved in IA32_EFER",
    Breach.EFER_LME: "LME cannot change while paging is on, and EFER is {0:#x}",
    Breach.APICBASE: "a reserved bit, or a way between modes of the APIC that there is "
    "not, from {0:#x}",
    Breach.X2APIC_OFF: "{register}, and the APIC is {0:mode}",
    Breach.X2APIC_ACCESS: "{register}, which is not to be {done} like this",
    Breach.CODE_L_AND_D: "CS {0:#x}: a code segment has L or D, and never both",
    Breach.CODE_LIMIT: "CS {0:#x}: the target {1:#x} is beyond its limit, {2:#x}",
    Breach.RETURN_NESTED: "RFLAGS {0:#x}: IRET with NT returns to no task in long mode",
    Breach.RETURN_CODE: "CS {0:#x}, to return to, is null, of no code segment, or of "
    "another privilege than its RPL",
    Breach.RETURN_STACK: "SS {0:#x}, to return with, is null, of no writable segment, "
    "or of another privilege than CS",
    Breach.TASK_PRIVILEGE: "selector {0:#x}: the DPL of the TSS or task gate is below "
    "CPL or RPL",
    Breach.TASK_SELECTOR: "selector {0:#x} of a TSS is null, or names the LDT",
    Breach.TASK_BUSY: "selector {0:#x}: no TSS that is available; it may be busy",
    Breach.TASK_LINK: "selector {0:#x}, the link to the last task, names no busy TSS",
    Breach.TASK_LIMIT: "selector {0:#x}: the limit of the TSS is too small",
    Breach.TASK_LDT: "LDT {0:#x} of the TSS is none of the GDT that is present",
    Breach.TASK_CODE: "CS {0:#x} of the TSS is no code segment of its CPL",
    Breach.TASK_STACK: "SS {0:#x} of the TSS is no writable segment of its CPL",
    Breach.TASK_DATA: "selector {0:#x} of the TSS cannot be read, or not from its CPL",
    Breach.MXCSR_RESERVED: "MXCSR {0:#x}: bits 31:16 are reserved",
    Breach.UNALIGNED: "an operand at {0:#x} must be aligned to {1} bytes",
    Breach.SEGMENT: "{2} bytes at {0:segment}:{1:#x} are beyond the limit, {4:#x}, or "
    "selector {3:#x} is null, or of a segment of another type",
    Breach.NOT_OFFERED: "CPUID does not offer the instruction {0:code}",
    Breach.OSXSAVE: "CR4 {0:#x}: OSXSAVE is 0",
    Breach.XSETBV_CPL: "CPL {0}: XSETBV is for CPL 0 alone",
    Breach.XCR_NUMBER: "ECX {0:#x}: there is no extended control register but XCR0",
    Breach.XCR0_BITS: "XCR0 {0:#x}: it takes bits of {1:#x}, and bit 0, x87, always",
    Breach.RDPMC_PCE: "CPL {0}: RDPMC is for CPL 0 alone while CR4.PCE is 0, and CR4 "
    "is {1:#x}",
    Breach.RDPMC_COUNTER: "ECX {0:#x}: there is no performance counter",
    **{rule: words.told for rule, words in fault_rules.WORDS.items()},
}
"""The same with the values that broke them."""


def rule_text(code: str, values: tuple[int, ...] = ()) -> str:
    """Return the sentence for a rule and what broke it, or the code if none is known.

    Without values, as in events of an earlier version, it is the rule alone.
    """
    try:
        rule = Breach(code)
    except ValueError:  # of a recording that a later version has made
        return code
    if not values:
        return SENTENCES[rule]
    try:
        return _numbered(rule, values)
    except (IndexError, ValueError):  # a later version gave others
        return SENTENCES[rule]


def section_of(code: str, values: tuple[int, ...] = ()) -> str | None:
    """Return where a rule stands, by volume and title, or None if none is known."""
    try:
        rule = Breach(code)
        words = fault_rules.WORDS.get(rule)
        if words is None:
            return sections.SECTIONS[rule]
        return words.section.format(*map(RuleValue, values))
    except (IndexError, ValueError):
        return None


def _numbered(rule: Breach, values: tuple[int, ...]) -> str:
    if rule not in ACCESS:
        return NUMBERED[rule].format(*map(RuleValue, values))
    number, is_write, value, *more = values
    access = f"WRMSR {number:#x} of {value:#x}" if is_write else f"RDMSR {number:#x}"
    done = "written" if is_write else "read"
    text = NUMBERED[rule].format(
        *map(RuleValue, more), register=_register(number), done=done
    )
    return f"{access}: {text}"


def _register(number: int) -> str:
    """Return the name of a register of the x2APIC by its MSR."""
    found = regs.REGISTERS.get((number - X2APIC) * 16)
    if found is None:
        return "no register of the x2APIC"
    return f"x2APIC {found.name.upper().replace('_', ' ')}"
