"""Whom a destination names: APIC ids, logical destinations, shorthands, priority.

SDM Vol. 3A "Determining IPI Destination". IPIs and the messages of IOAPICs and devices
are read alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import BROADCAST_X2APIC, BROADCAST_XAPIC
from lapis_engine.apic.regs import DFR_MODEL
from lapis_engine.profiles.catalog import SDM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

FLAT: Final = 0xF
CLUSTER: Final = 0
"""DFR models of logical destinations; the others are reserved."""


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
