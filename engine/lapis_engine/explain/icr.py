"""The interrupt command register in words (SDM Vol. 3A, by that title)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import regs
from lapis_engine.apic.regs import VECTORED
from lapis_engine.explain.fields import explained, legality

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation

X2APIC_ONLY: Final = 0x00FF_FFFF_0000_0000


def icr(raw: int) -> Explanation:
    """Explain a 64-bit ICR; one with any of bits 55:32 is taken for x2APIC mode's."""
    # Bits 55:32 are reserved in xAPIC mode and part of the destination in x2APIC mode.
    x2apic = bool(raw & X2APIC_ONLY)
    request = apic_icr.decode(raw, x2apic=x2apic, sender=0)
    destination = regs.ICR_DEST_X2APIC if x2apic else regs.ICR_DEST_XAPIC
    rows = (
        ("destination", destination, ""),
        ("shorthand", regs.ICR_SHORTHAND, request.shorthand),
        ("trigger", regs.ICR_LEVEL, "level" if request.level else "edge"),
        ("level", regs.ICR_ASSERT, "assert" if request.assert_ else "de-assert"),
        ("delivery status", regs.ICR_BUSY, ""),
        (
            "destination mode", regs.ICR_LOGICAL,
            "logical" if request.logical else "physical",
        ),
        ("delivery mode", regs.ICR_MODE, apic_icr.MODE_WORDS[request.mode]),
        ("vector", regs.ICR_VECTOR, legality(raw, request.mode in VECTORED)),
    )  # fmt: skip
    return explained("icr", raw, apic_icr.icr_text(raw, x2apic=x2apic), rows)
