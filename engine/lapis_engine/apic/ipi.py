"""The interrupt command register: what it asks for, whether it may, whom it reaches.

SDM Vol. 3A "Issuing Interprocessor Interrupts", "Determining IPI Destination".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.priority import LOWEST_LEGAL
from lapis_engine.apic.regs import (
    DFR_MODEL,
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
from lapis_engine.profiles.catalog import SDM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

BROADCAST_XAPIC, BROADCAST_X2APIC = 0xFF, 0xFFFF_FFFF
FLAT, CLUSTER = 0xF, 0
"""DFR models of logical destinations; the others are reserved."""
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


def targets(
    ipi: Ipi, apics: Sequence[ApicState], profile: Profile = SDM
) -> tuple[int, ...]:
    """Return the vCPUs that the IPI reaches, ascending.

    `apics` are those of the active vCPUs. Lowest priority goes to the one with the
    lowest PPR, the lowest number among equals (SDM "Lowest Priority Delivery Mode":
    arbitration by processor priority).
    """
    if ipi.shorthand == "self":
        return (ipi.sender,)
    hearing = [apic for apic in apics if apic_state.hears(apic, profile)]
    if ipi.shorthand == "all-but-self":
        hearing = [apic for apic in hearing if apic.vcpu != ipi.sender]
    elif ipi.shorthand == "none":
        hearing = [apic for apic in hearing if matches(ipi, apic)]
    if ipi.mode == "lowest":
        return lowest(hearing)
    return tuple(apic.vcpu for apic in hearing)


class Addressed(Protocol):
    """What names a destination: an IPI, or the message of an IOAPIC or MSI."""

    @property
    def destination(self) -> int:
        """APIC id or message destination address."""
        ...

    @property
    def logical(self) -> bool:
        """Whether it is the latter."""
        ...

    @property
    def x2apic(self) -> bool:
        """Whether it has 32 bits, and not 8."""
        ...


def matches(ipi: Addressed, apic: ApicState) -> bool:
    """Tell whether a destination without shorthand names this APIC.

    # As bhyve: a reserved DFR model matches nothing (`vlapic_calcdest`).
    """
    wide = apic_state.mode(apic) == "x2apic"
    broadcast = BROADCAST_X2APIC if ipi.x2apic else BROADCAST_XAPIC
    if ipi.destination == broadcast:
        return True
    if not ipi.logical:
        return ipi.destination == apic_state.apic_id(apic)
    ldr = apic_state.logical_id(apic)
    if wide:
        same = ipi.destination >> 16 == ldr >> 16
        return same and bool(ipi.destination & ldr & 0xFFFF)
    mda, own = ipi.destination & 0xFF, ldr >> 24
    model = DFR_MODEL.get(apic.dfr)
    if model == FLAT:
        return bool(mda & own)
    same = model == CLUSTER and mda >> 4 == own >> 4
    return same and bool(mda & own & 0xF)


def lowest(apics: Sequence[ApicState]) -> tuple[int, ...]:
    """Return who wins the arbitration of lowest priority; nobody when all are off.

    # Not modelled: the focus processor (SVR bit 9), which only the P6 family has.
    """
    able = [apic for apic in apics if apic_state.is_enabled(apic)]
    if not able:
        return ()
    return (min(able, key=lambda apic: (apic.ppr >> 4, apic.vcpu)).vcpu,)
