"""What of a guest's instructions the processor reports before it carries them out.

It is QEMU's own SVM that reports (APM Vol. 2 "Secure Virtual Machine", "Intercept
Operation"), by what each vCPU's context asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import intercepts, layout
from lapis_engine.cpu.probe import CONTROL_PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.context import Context

INTERCEPTS: Final = sum(
    1 << (code - 0x60)
    for code in (
        intercepts.RDTSC,
        intercepts.CPUID,
        intercepts.HLT,
        intercepts.MSR,
        intercepts.SHUTDOWN,
        intercepts.RDTSCP,
        intercepts.MONITOR,
        intercepts.MWAIT,
        intercepts.VINTR,
    )
)
"""VMCB intercept bits, from exit code 0x60 up."""
EXCEPTIONS: Final = 0xFFFF_FFF7
"""All but #BP, which arrives by its own door."""
CR_READS: Final = 1 << 8
CR_WRITES: Final = 1 << 8 | 1 << 4 | 1 << 0
DRS: Final = 0xFF
"""One bit a register."""


def arm(context: Context) -> None:
    """Have a new vCPU's intercepts reported."""
    head, tail = context.head, context.tail
    head.hflags = layout.HF_GUEST
    head.hflags2 = layout.HF2_GIF
    tail.vm_vmcb = CONTROL_PAGE
    tail.intercept = INTERCEPTS
    tail.intercept_cr_read = CR_READS
    tail.intercept_cr_write = CR_WRITES
    tail.intercept_dr_read = tail.intercept_dr_write = DRS
    tail.intercept_exceptions = EXCEPTIONS
    tail.old_exception, tail.exception_is_int = -1, 0


def arm_one(context: Context, code: int, *, on: bool) -> None:
    """Have one more instruction reported, or no more: that of exit `code`."""
    if code == intercepts.CR3_WRITE:
        context.tail.intercept_cr_write = CR_WRITES | on << 3
        return
    bit = 1 << (code - 0x60)
    now = context.tail.intercept
    if bool(now & bit) != on:
        context.tail.intercept = now ^ bit
