"""What a transition of an APIC returns: what happened, and what must go elsewhere."""

from __future__ import annotations

from lapis_engine.apic.icr import Ipi
from lapis_engine.events import Event
from lapis_engine.frozen import record


@record
class LocalInterrupt:
    """What an LVT entry asks of its own processor, past the IRR."""

    vcpu: int
    mode: str
    """nmi, init or extint."""
    source: str


@record
class Failed:
    """The handler gave up, and `vm_run` returns this errno."""

    vcpu: int
    errno: str
    why: str


Outcome = tuple[Event | Ipi | LocalInterrupt | Failed, ...]
"""In order."""
