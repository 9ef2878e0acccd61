"""How the service of a level vector ended, and why its IOAPIC pin did not hear of it.

SDM Vol. 3A "EOI Register", "Interrupt Acceptance for Fixed Interrupts": the TMR bit is
that of the last acceptance, and decides whether the EOI is told to the IOAPICs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.events import VectorAccepted, VectorEnded
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.apic.state import ApicState
    from lapis_engine.devices.ioapic.pins import Pin
    from lapis_engine.events import Logged
    from lapis_engine.why.history import History


def in_service(apic: ApicState, vector: int) -> Iterator[Reason]:
    """Yield what stands between a vector in service and its end."""
    text = "it is in service and waits for its EOI"
    yield blocks("in-service", text, vector=vector)
    highest = priority.highest(apic.isr)
    if highest > vector:
        text = f"the next EOI ends {highest:#04x}, which is higher"
        yield blocks("eoi-order", text, vector=vector, highest=highest)


def as_edge(it: History, pin: Pin) -> Iterator[Reason]:
    """Yield why the EOI of a level message of `pin`, whose remote IRR is set, is lost.

    It was that of an edge, since an edge with the same vector was accepted meanwhile.
    """
    ended = it.last(VectorEnded)
    if ended is None or not isinstance(ended.event, VectorEnded) or ended.event.level:
        return
    level, edge = _accepted(it, ended)
    if level is None:
        return
    text = (
        f"the EOI at {ended.at:,} ns was handled as edge (TMR bit 0), so it was not "
        f"told to the IOAPIC, and the remote IRR of pin {pin.number} stays set"
    )
    if edge is not None and isinstance(edge.event, VectorAccepted):
        text = (
            f"{text}: an edge with the same vector, {edge.event.source}, cleared the "
            f"TMR bit at {edge.at:,} ns"
        )
    about = f"ioapic pin {pin.number}"
    yield blocks("eoi-as-edge", text, about, pin=pin.number, at=ended.at)


def will_be_edge(it: History, apic: ApicState, pin: Pin) -> Iterator[Reason]:
    """Yield that the EOI to come will be lost for `pin` in the same way."""
    if apic.tmr >> it.vector & 1:
        return
    level, edge = _accepted(it, None)
    if level is None or edge is None or not isinstance(edge.event, VectorAccepted):
        return
    text = (
        f"an edge with the same vector, {edge.event.source}, cleared its TMR bit at "
        f"{edge.at:,} ns: its EOI will be handled as edge, and IOAPIC pin "
        f"{pin.number} will not hear of it"
    )
    about = f"ioapic pin {pin.number}"
    yield blocks("tmr-cleared", text, about, pin=pin.number, at=edge.at)


def _accepted(it: History, end: Logged | None) -> tuple[Logged | None, Logged | None]:
    """Return the last level that was accepted before `end`, and an edge after that."""
    level = edge = None
    for logged in it.own:
        if end is not None and logged.seq >= end.seq:
            break
        if not isinstance(logged.event, VectorAccepted):
            continue
        if logged.event.level:
            level, edge = logged, None
        else:
            edge = logged
    return level, edge
