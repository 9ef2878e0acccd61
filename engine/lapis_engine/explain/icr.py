"""The interrupt command register in words (SDM Vol. 3A, by that title)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_engine.apic import ipi as apic_ipi
from lapis_engine.apic import regs
from lapis_engine.explain.fields import explained, legality

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation

MODE_WORDS = {
    "fixed": "FIXED", "lowest": "LOWEST PRIORITY", "smi": "SMI",
    "remote-read": "REMOTE READ", "nmi": "NMI", "init": "INIT", "sipi": "STARTUP",
    "reserved": "reserved mode 7",
}  # fmt: skip
SHORTHAND_WORDS = {
    "self": "self", "all": "all including self", "all-but-self": "all excluding self",
}  # fmt: skip
VECTORED = frozenset({"fixed", "lowest"})
"""Modes whose vector names a handler."""
X2APIC_ONLY = 0x00FF_FFFF_0000_0000


@lru_cache(maxsize=1024)
def icr_text(icr: int, *, x2apic: bool = False) -> str:
    """Put a 64-bit ICR into words, destination last."""
    request = apic_ipi.decode(icr, x2apic=x2apic, sender=0)
    what = MODE_WORDS[request.mode]
    if request.mode == "sipi":
        what += f" vector {request.vector:#04x} (start {request.vector << 12:#x})"
    elif request.mode in {"fixed", "lowest"}:
        what += f" vector {request.vector:#04x}"
    words = [
        what,
        "logical" if request.logical else "physical",
        "assert" if request.assert_ else "de-assert",
        "level" if request.level else "edge",
        _destination(request),
    ]
    return ", ".join(words)


def _destination(request: apic_ipi.Ipi) -> str:
    if request.shorthand != "none":
        return SHORTHAND_WORDS[request.shorthand]
    everyone = 0xFFFF_FFFF if request.x2apic else 0xFF
    if request.destination == everyone:
        return "to everyone (broadcast)"
    name = "logical destination" if request.logical else "APIC id"
    return f"to {name} {request.destination:#x}"


def icr(raw: int) -> Explanation:
    """Explain a 64-bit ICR; one with any of bits 55:32 is taken for x2APIC mode's."""
    # Bits 55:32 are reserved in xAPIC mode and part of the destination in x2APIC mode.
    x2apic = bool(raw & X2APIC_ONLY)
    request = apic_ipi.decode(raw, x2apic=x2apic, sender=0)
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
        ("delivery mode", regs.ICR_MODE, MODE_WORDS[request.mode]),
        ("vector", regs.ICR_VECTOR, legality(raw, request.mode in VECTORED)),
    )  # fmt: skip
    return explained("icr", raw, icr_text(raw, x2apic=x2apic), rows)
