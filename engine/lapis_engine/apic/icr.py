"""The interrupt command register: its fields and its words.

SDM Vol. 3A "Issuing Interprocessor Interrupts". Not here: what may not be sent
(`icr_rules`), whom an IPI reaches (`destination`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lapis_engine.apic.regs import (
    ICR_ASSERT,
    ICR_DEST_X2APIC,
    ICR_DEST_XAPIC,
    ICR_LEVEL,
    ICR_LOGICAL,
    ICR_MODE,
    ICR_SHORTHAND,
    ICR_VECTOR,
    MODES,
    SHORTHANDS,
)
from lapis_engine.errors import EngineError

BROADCAST_XAPIC: Final = 0xFF
BROADCAST_X2APIC: Final = 0xFFFF_FFFF
"""Destinations that name every APIC."""
MODE_WORDS: Final = {
    "fixed": "FIXED", "lowest": "LOWEST PRIORITY", "smi": "SMI",
    "remote-read": "REMOTE READ", "nmi": "NMI", "init": "INIT", "sipi": "STARTUP",
    "reserved": "reserved mode 7",
}  # fmt: skip
SHORTHAND_WORDS: Final = {
    "self": "self", "all": "all including self", "all-but-self": "all excluding self",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ipi:
    """What an ICR asks for."""

    sender: int
    """vCPU number."""
    icr: int
    """Its 64 bits as they stand in the register."""
    x2apic: bool
    """How the destination is to be read."""
    mode: str
    vector: int
    logical: bool
    shorthand: str
    """none, self, all or all-but-self."""
    level: bool
    """Trigger mode: True is level."""
    assert_: bool
    destination: int
    """APIC id or message destination address; ignored under a shorthand."""


@lru_cache(maxsize=1024)  # a guest sends the same few again and again
def decode(icr: int, *, x2apic: bool, sender: int) -> Ipi:
    """Take a 64-bit ICR apart."""
    destination = (ICR_DEST_X2APIC if x2apic else ICR_DEST_XAPIC).get(icr)
    return Ipi(
        sender=sender,
        icr=icr,
        x2apic=x2apic,
        mode=MODES[ICR_MODE.get(icr)],
        vector=icr & ICR_VECTOR,
        logical=bool(icr & ICR_LOGICAL),
        shorthand=SHORTHANDS[ICR_SHORTHAND.get(icr)],
        level=bool(icr & ICR_LEVEL),
        assert_=bool(icr & ICR_ASSERT),
        destination=destination,
    )


def encode(  # noqa: PLR0913 - one argument a field of the register
    mode: str,
    *,
    vector: int = 0,
    destination: int = 0,
    shorthand: str = "none",
    logical: bool = False,
    level: bool = False,
    assert_: bool = True,
    x2apic: bool = False,
) -> int:
    """Put a 64-bit ICR together from its fields spelled out.

    Raises `EngineError` naming a field whose value does not fit.
    """
    if mode not in MODES:
        raise EngineError(f"there is no delivery mode {mode!r}: {', '.join(MODES)}")
    if shorthand not in SHORTHANDS:
        raise EngineError(f"no shorthand {shorthand!r}: {', '.join(SHORTHANDS)}")
    if not 0 <= vector <= ICR_VECTOR:
        raise EngineError(f"vector {vector:#x}: vectors are 8 bits")
    where = ICR_DEST_X2APIC if x2apic else ICR_DEST_XAPIC
    if not 0 <= destination <= where >> where.lo:
        width = "32" if x2apic else "8"
        raise EngineError(f"destination {destination:#x}: ids are {width} bits here")
    icr = ICR_MODE.put(vector, MODES.index(mode))
    icr = ICR_SHORTHAND.put(icr, SHORTHANDS.index(shorthand))
    icr |= ICR_LOGICAL if logical else 0
    icr |= ICR_LEVEL if level else 0
    icr |= ICR_ASSERT if assert_ else 0
    return where.put(icr, destination)


@lru_cache(maxsize=1024)
def icr_text(icr: int, *, x2apic: bool = False) -> str:
    """Put a 64-bit ICR into words, destination last."""
    request = decode(icr, x2apic=x2apic, sender=0)
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


def _destination(request: Ipi) -> str:
    if request.shorthand != "none":
        return SHORTHAND_WORDS[request.shorthand]
    everyone = BROADCAST_X2APIC if request.x2apic else BROADCAST_XAPIC
    if request.destination == everyone:
        return "to everyone (broadcast)"
    name = "logical destination" if request.logical else "APIC id"
    return f"to {name} {request.destination:#x}"
