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
