"""Which IPIs a user is kept from sending: those that can reach nobody, by the manual.

SDM Vol. 3A "Valid Interrupt Vectors", "Valid Combinations for the xAPIC Local APIC's
Interrupt Command Register". What a profile just does not implement is sent, and its
fate told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.destination import matches
from lapis_engine.apic.icr import MODE_WORDS
from lapis_engine.apic.priority import LOWEST_LEGAL

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile


def impossible(ipi: Ipi, profile: Profile) -> str:
    """Say which fields of an IPI exclude each other, or nothing."""
    word = MODE_WORDS[ipi.mode]
    if ipi.mode in {"fixed", "lowest"} and ipi.vector < LOWEST_LEGAL:
        return f"vector {ipi.vector:#04x} is illegal: vectors below 16 are exceptions"
    legal = apic_icr.SHORTHAND_RULES[ipi.mode]
    if ipi.shorthand not in legal:
        others = " or ".join([*sorted(legal - {"none"}), "an id"])
        return f"{word} cannot have the shorthand {ipi.shorthand}, only {others}"
    if ipi.mode == "init" and not ipi.assert_:
        return "an INIT de-assert is ignored by every APIC"
    off = ipi.level and not ipi.assert_
    if off and ipi.mode != "sipi" and not profile.ipi_always_edge:
        return f"a level-triggered {word} must be asserted, or it is ignored"
    return ""


def absent(ipi: Ipi, apics: Sequence[ApicState]) -> str:
    """Say that no APIC has the destination, or nothing."""
    if ipi.shorthand != "none" or any(matches(ipi, apic) for apic in apics):
        return ""
    if ipi.logical:
        found = ", ".join(f"{apic_state.logical_id(apic):#x}" for apic in apics)
        where = f"{ipi.destination:#x}"
        return f"no APIC has the logical destination {where} (the LDRs are {found})"
    return no_id(ipi.destination, [apic_state.apic_id(apic) for apic in apics])


def no_id(destination: int, ids: Collection[int]) -> str:
    """Say that no APIC has the id `destination`; `ids` are those there are."""
    low, high = min(ids), max(ids)
    whole = len(set(ids)) == high - low + 1 and len(ids) > 2
    found = f"{low} to {high}" if whole else ", ".join(map(str, sorted(set(ids))))
    verb = "they are" if len(set(ids)) > 1 else "there is"
    return f"no APIC has id {destination} ({verb} {found})"
