"""Page faults: what the walk refuses, if it refuses as the processor did.

SDM Vol. 3A "Page-Fault Exceptions", "Determination of Access Rights".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import PF_I, PF_P, PF_RSVD, PF_U, PF_W
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.paging import RULES

if TYPE_CHECKING:
    from lapis_engine.breaches.case import Found
    from lapis_engine.cpu.paging import Linear


def page(linear: Linear, rip: int, error: int, cr2: int) -> Found | None:
    """Return the rule by the error code, and by a walk where that is not enough.

    The tables may have changed under a translation that the processor has kept: then
    the walk says something else, and no rule is known.
    """
    is_fetch = bool(error & PF_I) or 0 <= cr2 - rip < LONGEST
    values = cr2, error | PF_I if is_fetch else error
    if not error & PF_P:
        return Breach.PAGE_ABSENT, values
    if error & PF_RSVD:
        return Breach.PAGE_RESERVED, values
    for fetch in (is_fetch, not is_fetch):
        found = linear.walk(
            cr2, write=bool(error & PF_W), user=bool(error & PF_U), fetch=fetch
        )
        if found.refusal is not None and found.error == error:
            return RULES[found.refusal], (cr2, error | PF_I if fetch else error)
    return None
