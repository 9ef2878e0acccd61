"""Raw values in words: the one place that does it.

Every answer is data as well as a sentence. Not here: events, which `describe` puts into
words, and questions about a machine's state, which `why` answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_engine.explain import apic, icr, messages, processor, system
from lapis_engine.explain.apic import LVT_MODES, TIMER_MODES
from lapis_engine.explain.fields import Explanation, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "EXPLAINERS",
    "LVT_MODES",
    "TIMER_MODES",
    "Explanation",
    "Field",
    "explain",
]

EXPLAINERS: Final[dict[str, Callable[[int], Explanation]]] = {
    "icr": icr.icr,
    "lvt": apic.lvt,
    "apicbase": apic.apicbase,
    "svr": apic.svr,
    "esr": apic.esr,
    "tpr": apic.tpr,
    "ppr": apic.ppr,
    "ldr": apic.ldr,
    "dfr": apic.dfr,
    "divide": apic.divide,
    "version": apic.version,
    "rte": messages.rte,
    "msi-address": messages.msi_address,
    "msi-data": messages.msi_data,
    "run-state": processor.run_state,
    "intinfo": processor.intinfo,
    "rflags": system.rflags,
    "cr0": system.cr0,
    "cr4": system.cr4,
    "efer": system.efer,
    "descriptor": system.descriptor,
}


def explain(
    what: str,
    raw: int,
    explainers: Mapping[str, Callable[[int], Explanation]] = EXPLAINERS,
) -> Explanation:
    """Explain `raw` as the register `what`; raise `ConfigError` for an unknown one."""
    if what not in explainers:
        known = ", ".join(explainers)
        raise ConfigError(f"cannot explain {what!r}; what can be explained is {known}")
    if not 0 <= raw < 1 << 64:
        raise ConfigError(f"{raw:#x} is not a 64-bit value")
    return explainers[what](raw)
