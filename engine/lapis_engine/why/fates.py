"""What became of a vector before: refused, fired in vain, merged, delivered, lost.

`traffic` has the messages that carried it; here is what its own APIC made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import LVT_MASKED, SVR_ENABLED
from lapis_engine.events import (
    ExtIntDelivered,
    LvtFired,
    NmiDelivered,
    NmiReceived,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.apic.state import ApicState
    from lapis_engine.events import Logged
    from lapis_engine.why.history import History

DELIVERED: Final = (VectorDelivered, ExtIntDelivered, NmiDelivered)


def fates(it: History, apic: ApicState, masked_by: str) -> Iterator[Reason]:
    """Yield what happened to a vector that is nowhere now, the worst first.

    `masked_by` says which write masked LVT TIMER, if one did.
    """
    yield from _refused(it, apic)
    yield from _in_vain(it, apic, masked_by)
    if it.lost is not None and it.last(*DELIVERED) is None:
        came, cleared = it.lost
        text = (
            f"it was accepted at {came.at:,} ns{_source(came)}, and the INIT that was "
            f"taken at {cleared.at:,} ns cleared the IRR"
        )
        yield blocks("init-cleared", text, at=cleared.at)
    yield from delivered(it)


def _source(logged: Logged) -> str:
    event = logged.event
    return f" from {event.source}" if isinstance(event, VectorAccepted) else ""


def _refused(it: History, apic: ApicState) -> Iterator[Reason]:
    """Yield the refusal of the vector, if nothing was accepted after it."""
    last = it.last(VectorAccepted, VectorRefused)
    if last is None or not isinstance(last.event, VectorRefused):
        return
    count = it.count(VectorRefused)
    often = "" if count == 1 else f", the last of {it.times(count)}"
    text = (
        f"it was refused when it came from {last.event.source}: {last.event.why} "
        f"(at {last.at:,} ns{often})"
    )
    if not apic.svr & SVR_ENABLED:
        text += f"; SVR is {apic.svr:#x} still: bit 8, which enables it, is 0"
    yield blocks("refused", text, vector=it.vector, at=last.at, count=count)


def _in_vain(it: History, apic: ApicState, masked_by: str) -> Iterator[Reason]:
    """Yield the entries of the LVT that fired while they were masked, and no more."""
    if not it.fired:
        return
    came = it.last(VectorAccepted, NmiReceived)
    last, event = it.fired[-1], it.fired[-1].event
    if came is not None and came.at >= last.at:
        return
    if isinstance(event, TimerFired) and event.masked:
        name, why = "timer", "masked (bit 16)"
    elif isinstance(event, LvtFired) and event.dropped is not None:
        name = event.lvt
        why = (
            "masked (bit 16)" if event.dropped.code == "masked" else event.dropped.text
        )
    else:
        return
    count = sum(each.at > (came.at if came else -1) for each in it.fired)
    often = "" if count == 1 else f", the last of {it.times(count)}"
    text = f"LVT {name} fired in vain at {last.at:,} ns{often}: it was {why}"
    if not apic.svr & SVR_ENABLED:
        text += f", and stays so while bit 8 of the SVR ({apic.svr:#x}) is 0"
    elif name == "timer" and apic.lvt_timer & LVT_MASKED:
        text += masked_by
    yield blocks("fired-in-vain", text, f"lvt {name}", at=last.at, count=count)


def delivered(it: History) -> Iterator[Reason]:
    """Yield how often it was delivered, and whether its service has ended."""
    last = it.last(*DELIVERED)
    if last is None:
        return
    count = it.count(*DELIVERED)
    often = "once" if count == 1 and not it.is_cut else f"{it.times(count)}, the last"
    text = f"it was delivered {often} at {last.at:,} ns"
    came, rule = it.count(NmiReceived if it.nmi else VectorAccepted), "delivered"
    if came > count and not isinstance(last.event, ExtIntDelivered):
        rule = "merged"
        bit = "one NMI can be pending" if it.nmi else "the IRR has one bit for it"
        text += f", though it had come {it.times(came)}: they were merged, as {bit}"
    if isinstance(last.event, VectorDelivered):
        text += _ended(it, last)
    yield allows(rule, text, vector=it.vector, at=last.at, count=count)


def _ended(it: History, last: Logged) -> str:
    ended = it.last(VectorEnded)
    if ended is None or ended.seq < last.seq:
        return ", and no EOI has come since"
    assert isinstance(ended.event, VectorEnded)
    how = "level" if ended.event.level else "edge"
    return f", and its EOI came at {ended.at:,} ns, as {how}"


def came(it: History) -> Iterator[Reason]:
    """Yield where one that is somewhere now came from, and what was before that."""
    kinds = (NmiReceived,) if it.nmi else (VectorAccepted,)
    last = it.last(*kinds)
    if last is not None:
        event = last.event
        assert isinstance(event, VectorAccepted | NmiReceived), "of these kinds"
        text = f"it came from {event.source} at {last.at:,} ns"
        if isinstance(event, VectorAccepted):
            text += ", as level" if event.level else ", as edge"
        yield allows("came", text, vector=it.vector, at=last.at)
    yield from delivered(it)


def merged(it: History) -> Iterator[Reason]:
    """Yield how often it came since it was last delivered: one bit holds them all."""
    since = it.last(*DELIVERED)
    first = -1 if since is None else since.seq
    kinds = (NmiReceived,) if it.nmi else (VectorAccepted,)
    came = [e for e in it.own if isinstance(e.event, kinds) and e.seq > first]
    if len(came) < 2:
        return
    what = "one NMI can be pending" if it.nmi else "the IRR has one bit for it"
    text = (
        f"it has come {len(came)} times since {came[0].at:,} ns: {what}, and it will "
        f"be delivered once"
    )
    yield allows("merged", text, vector=it.vector, count=len(came), at=came[-1].at)


def no_eoi(it: History) -> Iterator[Reason]:
    """Yield since when a vector is in service."""
    last = it.last(VectorDelivered)
    ended = it.last(VectorEnded)
    if last is None or (ended is not None and ended.seq > last.seq):
        return
    text = (
        f"vector {it.vector:#04x} was delivered at {last.at:,} ns, and no EOI has come "
        f"since"
    )
    early = [each for each in it.empty if each.seq < last.seq]
    if early and (ended is None or early[-1].seq > ended.seq):
        text += f"; one came before, at {early[-1].at:,} ns, with nothing in service"
    for each in it.elsewhere:
        if each.seq > last.seq:
            text += (
                f"; vCPU {each.event.vcpu} gave one at {each.at:,} ns, with nothing in "
                f"service there"
            )
            break
    yield blocks("no-eoi", text, vector=it.vector, at=last.at)
