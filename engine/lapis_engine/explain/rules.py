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
}


def rule_text(code: str) -> str:
    """Return the sentence for the code of a rule, or the code if none is known."""
    try:
        return SENTENCES[Breach(code)]
    except ValueError:  # of a recording that a later version has made
        return code
