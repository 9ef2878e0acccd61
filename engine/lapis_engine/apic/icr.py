"""The interrupt command register: its fields, its words, and what may not be sent.

SDM Vol. 3A "Issuing Interprocessor Interrupts". Not here: whom an IPI reaches, which
is `destination`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_engine.apic.priority import LOWEST_LEGAL
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

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile

BROADCAST_XAPIC, BROADCAST_X2APIC = 0xFF, 0xFFFF_FFFF
"""Destinations that name every APIC."""
MODE_WORDS = {
    "fixed": "FIXED", "lowest": "LOWEST PRIORITY", "smi": "SMI",
    "remote-read": "REMOTE READ", "nmi": "NMI", "init": "INIT", "sipi": "STARTUP",
    "reserved": "reserved mode 7",
}  # fmt: skip
SHORTHAND_WORDS = {
    "self": "self", "all": "all including self", "all-but-self": "all excluding self",
}  # fmt: skip
MANY = frozenset({"none", "all-but-self"})
ANY = frozenset(SHORTHANDS)
SHORTHAND_RULES = {
    "fixed": ANY,
    "lowest": MANY,
    "smi": MANY,
    "remote-read": frozenset({"none"}),
    "nmi": MANY,
    "init": MANY,
    "sipi": MANY,
}
"""Shorthands that each mode may have (SDM "Valid Combinations for the xAPIC Local
APIC's Interrupt Command Register"; bhyve `vlapic_is_icr_valid`)."""


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


def refusal(ipi: Ipi, profile: Profile) -> str:
    """Say why the sender's APIC drops this IPI, or nothing."""
    # Differs from the SDM: there the message goes out, and ESR bit 6 is set where it
    # arrives ("Error Handling"). As bhyve: nothing is sent.
    if is_vector_illegal(ipi, profile):
        return f"vector {ipi.vector:#04x} is illegal: below 16"
    return _invalid(ipi, profile)


def is_vector_illegal(ipi: Ipi, profile: Profile) -> bool:
    """Tell whether this would be sent but for its vector, which sets ESR bit 5."""
    carries = ipi.mode in {"fixed", "lowest"} and not _invalid(ipi, profile)
    return carries and ipi.vector < LOWEST_LEGAL


def _invalid(ipi: Ipi, profile: Profile) -> str:
    """Say what is wrong with it apart from the vector.

    # As bhyve: an invalid combination is dropped without a trace
    (`vlapic_is_icr_valid`), as is INIT without the level bit; the SDM leaves it
    undefined.
    """
    if ipi.mode == "reserved":
        return "delivery mode 7 is reserved"
    if ipi.shorthand not in SHORTHAND_RULES[ipi.mode]:
        return f"{ipi.mode} cannot have the shorthand {ipi.shorthand}"
    if ipi.mode == "init" and not ipi.assert_:
        return "INIT de-assert is ignored"
    off = ipi.level and not ipi.assert_
    if off and ipi.mode != "sipi" and not profile.ipi_always_edge:
        return "level-triggered de-assert is ignored"
    if ipi.mode in {"smi", "remote-read"}:
        return f"{ipi.mode} is not implemented"  # Not modelled: SMM, remote read
    if ipi.mode == "lowest" and not profile.ipi_lowest_priority:
        return "lowest priority is not implemented for IPIs"
    return ""
