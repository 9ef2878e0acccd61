"""What became of a vector at a vCPU: the events that bear on it, in one pass.

What lies before a reset of the machine, an INIT of the vCPU or an import of its APIC
is of another life, and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic.priority import GRATUITOUS_EOI
from lapis_engine.apic.regs import VECTORED
from lapis_engine.events import (
    ApicImported,
    ExtIntDelivered,
    IpiSent,
    LvtFired,
    MessageSent,
    NmiDelivered,
    NmiReceived,
    Oddity,
    PinChanged,
    Rebooted,
    RunStateChanged,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine

NMI_KINDS: Final = (NmiReceived, NmiDelivered)
ASTRAY: Final = frozenset({"message of a device", "HPET message"})
"""Names of the oddities that such messages are."""
PINS: Final = {f"ioapic pin {number}": number for number in range(256)}
"""Pins by the source of their messages; a device of a plug-in names its own freely."""
OWN: Final = (VectorAccepted, VectorRefused, VectorDelivered, VectorEnded)


@dataclass(slots=True)
class History:
    """The events about one vector at one vCPU, oldest first."""

    vcpu: int
    vector: int
    nmi: bool
    own: list[Logged] = field(default_factory=list)
    """Accepted, refused, delivered, ended; NMIs that came and went in; ExtINTs."""
    sent: list[Logged] = field(default_factory=list)
    """IPIs and messages that carried it, whoever was named."""
    fired: list[Logged] = field(default_factory=list)
    """Entries of the LVT that had it when they fired."""
    timer: Logged | None = None
    """When the APIC timer last fired, with whatever vector."""
    rises: dict[int, list[Logged]] = field(default_factory=dict)
    """Rising edges of the pins of the IOAPIC that sent nothing."""
    raised: dict[int, Logged] = field(default_factory=dict)
    """When a pin last rose."""
    empty: list[Logged] = field(default_factory=list)
    """EOIs of this vCPU that found nothing in service."""
    elsewhere: list[Logged] = field(default_factory=list)
    """Those of other vCPUs."""
    astray: Logged | None = None
    """The last message of a device that was none: its address or data is not one's."""
    lost: tuple[Logged, Logged] | None = None
    """It was accepted, and an INIT came before it was delivered."""
    is_cut: bool = False
    """Older events are forgotten: what is counted is a part."""
    since: int = 0
    """ns of virtual time at which the present life of the APIC began."""
    is_imported: bool = False
    """The APIC is from elsewhere, and its vCPU has not run since."""
    was_imported: bool = False
    """The APIC is from elsewhere."""
    is_alone: bool = False
    """And so nothing is known of that vCPU itself, nor of devices as after reset."""

    def last(self, *kinds: type) -> Logged | None:
        """Return the last of these among what happened to it here."""
        found = (it for it in reversed(self.own) if isinstance(it.event, kinds))
        return next(found, None)

    def count(self, *kinds: type) -> int:
        """Return how many of these there are."""
        return sum(isinstance(it.event, kinds) for it in self.own)

    def times(self, count: int) -> str:
        """Say how often something was, as far as is known."""
        often = "once" if count == 1 else f"{count} times"
        return f"at least {often}" if self.is_cut else often


def told(machine: Machine, number: int, vector: int, *, nmi: bool) -> History:
    """Return what the history has about a vector (with `nmi`, the NMI)."""
    found = History(number, vector, nmi, is_cut=machine.log.first_seq > 0)
    takes = _TAKES.get
    for logged in machine.log.last(KEPT):
        take = takes(type(logged.event))
        if take is not None:
            take(found, logged, logged.event)
    return found


def _own(it: History, logged: Logged, event: Any) -> None:
    if event.vcpu == it.vcpu and event.vector == it.vector and not it.nmi:
        it.own.append(logged)


def _nmi(it: History, logged: Logged, event: Any) -> None:
    if it.nmi and event.vcpu == it.vcpu:
        it.own.append(logged)


def _sent(it: History, logged: Logged, event: IpiSent) -> None:
    if carries(it, event.mode, event.icr & 0xFF):
        it.sent.append(logged)


def _message(it: History, logged: Logged, event: MessageSent) -> None:
    rises = it.rises.get(PINS.get(event.source, -1))
    if rises and rises[-1].at == logged.at:
        rises.pop()
    if carries(it, event.mode, event.vector):
        it.sent.append(logged)


def carries(it: History, mode: str, vector: int) -> bool:
    """Tell whether a message of this delivery mode brings what was asked about."""
    if it.nmi:
        return mode == "nmi"
    # What has a reserved mode was meant to bring its vector, as like as not.
    return vector == it.vector and (mode in VECTORED or mode == "reserved")


def _timer(it: History, logged: Logged, event: TimerFired) -> None:
    if event.vcpu != it.vcpu:
        return
    it.timer = logged
    if event.vector == it.vector and not it.nmi:
        it.fired.append(logged)


def _lvt(it: History, logged: Logged, event: LvtFired) -> None:
    has_it = event.mode == "nmi" if it.nmi else event.vector == it.vector
    if event.vcpu == it.vcpu and has_it:
        it.fired.append(logged)


def _pin(it: History, logged: Logged, event: PinChanged) -> None:
    if event.asserted and event.count == 1:
        it.rises.setdefault(event.pin, []).append(logged)
        it.raised[event.pin] = logged


def _odd(it: History, logged: Logged, event: Oddity) -> None:
    if event.name == GRATUITOUS_EOI:
        (it.empty if event.vcpu == it.vcpu else it.elsewhere).append(logged)
    elif event.name in ASTRAY:
        it.astray = logged


def _reset(it: History, logged: Logged, _event: Rebooted) -> None:
    fresh = History(it.vcpu, it.vector, it.nmi, is_cut=it.is_cut, since=logged.at)
    for name in History.__slots__:
        setattr(it, name, getattr(fresh, name))


def _run_state(it: History, logged: Logged, event: RunStateChanged) -> None:
    pending = run_state.PEND_INIT
    if event.vcpu == it.vcpu and event.before & ~event.after & pending:
        _begin(it, logged)


def _import(it: History, logged: Logged, event: ApicImported) -> None:
    if event.vcpu == it.vcpu:
        _begin(it, logged)
        it.lost, it.is_imported, it.was_imported = None, True, True


def _begin(it: History, logged: Logged) -> None:
    """Begin another life of this vCPU's APIC."""
    was = it.own[-1] if it.own else None
    if was is not None and isinstance(was.event, VectorAccepted):
        it.lost = was, logged
    elif it.own:
        it.lost = None
    it.own, it.fired, it.timer, it.since = [], [], None, logged.at


_TAKES: Final[dict[type, Callable[[History, Logged, Any], None]]] = {
    **dict.fromkeys(OWN, _own),
    **dict.fromkeys(NMI_KINDS, _nmi),
    ExtIntDelivered: _own,
    IpiSent: _sent,
    MessageSent: _message,
    TimerFired: _timer,
    LvtFired: _lvt,
    PinChanged: _pin,
    Oddity: _odd,
    Rebooted: _reset,
    RunStateChanged: _run_state,
    ApicImported: _import,
}
