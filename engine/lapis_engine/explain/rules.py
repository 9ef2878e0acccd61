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
}


def rule_text(code: str) -> str:
    """Return the sentence for the code of a rule, or the code if none is known."""
    try:
        return SENTENCES[Breach(code)]
    except ValueError:  # of a recording that a later version has made
        return code
