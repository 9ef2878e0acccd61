"""The lints by name, and what each finds."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "eoi-empty-isr": "EOI with no vector in service",
        "sipi-ignored": "SIPI to a processor that runs (as the second one of "
        "INIT-SIPI-SIPI), or had no INIT before",
        "icr-reserved-bits": "ICR write with reserved bits set",
        "ipi-absent": "IPI to a destination that no APIC has",
        "level-no-eoi": "level interrupt left without EOI: the processor halts with it "
        "in service, or serves it for 10 ms of virtual time",
        "empty-trampoline": "AP started where its page of code is all zero",
        "bsp-spins": "BSP stays within 256 bytes of code for 16 ms of virtual time "
        "while an AP waits for SIPI",
        "isrvec": "ISR that is not the stack of what was delivered and ended "
        "(with `set isrvec on`)",
    }
)
"""In the order in which they are listed. 1 ms is a million instructions of the whole
machine; the SDM has the BSP wait 10 ms between INIT and SIPI (Vol. 3A "MP
Initialization Example"), which is no finding."""
