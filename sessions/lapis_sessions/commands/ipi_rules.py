"""Which IPIs a user is kept from sending because nobody is there to get them.

Which fields exclude each other is in `lapis_engine.apic.icr_rules`. What a profile just
does not implement is sent, and its fate told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.destination import matches
from lapis_engine.cause import Cause
from lapis_engine.vmm.fabric import ABSENT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.apic.state import ApicState


def absent(ipi: Ipi, apics: Sequence[ApicState]) -> Cause | None:
    """Return that no APIC has the destination, or None when one has."""
    if ipi.shorthand != "none" or any(matches(ipi, apic) for apic in apics):
        return None
    if ipi.logical:
        found = ", ".join(f"{apic_state.logical_id(apic):#x}" for apic in apics)
        where = f"{ipi.destination:#x}"
        text = f"no APIC has the logical destination {where} (the LDRs are {found})"
        return Cause(ABSENT.code, text)
    return no_id(ipi.destination, [apic_state.apic_id(apic) for apic in apics])


def no_id(destination: int, ids: Collection[int]) -> Cause:
    """Return that no APIC has the id `destination`; `ids` are those there are."""
    low, high = min(ids), max(ids)
    whole = len(set(ids)) == high - low + 1 and len(ids) > 2
    found = f"{low} to {high}" if whole else ", ".join(map(str, sorted(set(ids))))
    verb = "they are" if len(set(ids)) > 1 else "there is"
    return Cause(ABSENT.code, f"no APIC has id {destination} ({verb} {found})")
