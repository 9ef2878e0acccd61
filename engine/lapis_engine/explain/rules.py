"""The rules of the manual that an instruction can break, in words."""

from __future__ import annotations

from typing import Final

from lapis_engine.cpu.breach import Breach

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
    Breach.UNALIGNED: "a 16-byte operand of SSE must be aligned",
    Breach.SEGMENT: "the operand is beyond the limit of its segment, or the segment "
    "is null or of another type",
    Breach.NOT_OFFERED: "CPUID does not offer the instruction",
    Breach.OSXSAVE: "CR4.OSXSAVE is 0",
    Breach.XSETBV_CPL: "XSETBV is for CPL 0 alone",
    Breach.XCR_NUMBER: "there is no extended control register but XCR0",
    Breach.XCR0_BITS: "a bit of XCR0 that CPUID does not offer, or x87 off",
    Breach.RDPMC_PCE: "RDPMC is for CPL 0 alone while CR4.PCE is 0",
    Breach.RDPMC_COUNTER: "there is no performance counter",
}


def rule_text(code: str) -> str:
    """Return the sentence for the code of a rule, or the code if none is known."""
    try:
        return SENTENCES[Breach(code)]
    except ValueError:  # of a recording that a later version has made
        return code
