"""Every INIT, SIPI and NMI of the history that was for a vCPU, followed to its end.

SDM Vol. 3A "MP Initialization Protocol Algorithm", "Nonmaskable Interrupt (NMI)". Only
the last one that came to the vCPU and the last that did not are kept, of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import icr
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import ICR_VECTOR
from lapis_engine.events import (
    Answered,
    ApicModeChanged,
    Halted,
    InitReceived,
    Interfered,
    IpiSent,
    MsrAccessed,
    NmiDelivered,
    NmiReceived,
    Oddity,
    Rebooted,
    RunStateChanged,
    SipiReceived,
    VectorAccepted,
    VectorRefused,
)
from lapis_engine.lints.traffic import X2APIC_ICR
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm.run_state import INIT, PEND_INIT, PEND_SIPI, RUN
from lapis_engine.vmm.startup import init_sipi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

XAPIC_ICR: Final = 0x300
"""Offset in the page of the registers."""
BOOT_AND_NMI: Final = ("init", "sipi", "nmi")
FOLLOWED: Final = {
    **{mode: mode for mode in BOOT_AND_NMI}, "fixed": "fixed", "lowest": "fixed",
}  # fmt: skip
"""Delivery modes that are followed, and by what name."""


class Track:
    """One message on its way to a vCPU, and how far it came."""

    __slots__ = ("fate", "logged", "mode", "source", "until", "why", "x2apic")

    def __init__(
        self, mode: str, logged: Logged, *, x2apic: bool = False, fate: str = "sent"
    ) -> None:
        """Begin one that `logged` sent; fixed is the mode of any vector."""
        self.mode = mode
        self.logged = logged
        """The write to the ICR; or what came of one that is not known."""
        self.x2apic = x2apic
        """How its destination is read."""
        self.fate = fate
        """A short name for how it ended."""
        self.source = ""
        """Who sent it, in the words of what came of it."""
        self.why = ""
        """What an event said of its end, for the sentence."""
        self.until: int | None = None
        """ns at which it ended."""

    @property
    def sent(self) -> IpiSent | None:
        """The write to the ICR, if it was one and went out."""
        event = self.logged.event
        return event if isinstance(event, IpiSent) else None

    @property
    def icr(self) -> int | None:
        """What was written to an ICR, or should have been."""
        match self.logged.event:
            case IpiSent(icr=value) | MsrAccessed(value=value) | Answered(data=value):
                return value
            case _:
                return None

    @property
    def vector(self) -> int:
        """The vector of a SIPI or of a fixed message; 0 for others."""
        event = self.logged.event
        if isinstance(event, (SipiReceived, VectorRefused)):
            return event.vector
        return (self.icr or 0) & ICR_VECTOR


@dataclass(slots=True)
class Tracks:
    """What was sent to one vCPU, or near it."""

    vcpu: int
    since: int
    """The first event that is known."""
    x2apic: dict[int, bool]
    """Whether each APIC is in x2APIC mode, as far as the walk has come."""
    pages: dict[int, int]
    """Where each has its registers in xAPIC mode."""
    came: dict[str, Track] = field(default_factory=dict)
    """By mode, the last one that came to it."""
    passed: dict[str, tuple[Logged, bool]] = field(default_factory=dict)
    """By mode, the last IPI that did not, and whether its sender was in x2APIC mode."""
    astray: dict[str, Track] = field(default_factory=dict)
    """By mode, the last write that was meant for an ICR and was none."""
    refused: Track | None = None
    """The last vector that its APIC did not take, if none was taken after."""
    due: dict[str, Track] = field(default_factory=dict)
    """Those that wait in it."""
    held: dict[str, Track] = field(default_factory=dict)
    """Those that a rule of the user's holds back."""
    here: Track | None = None
    """That of the ICR write under way, when it names this vCPU."""
    timely: Track | None = None
    """The SIPI under way."""
    starter: Track | None = None
    """The SIPI that it runs by, if that is known."""
    started: Logged | None = None
    """When it last began to run."""
    stopped: Track | None = None
    """The INIT that ended that."""

    @property
    def missed(self) -> dict[str, Track]:
        """By mode, the last one that did not come to it."""
        out = {
            mode: Track(mode, logged, x2apic=wide, fate="missed")
            for mode, (logged, wide) in self.passed.items()
        }
        for mode, track in self.astray.items():
            if mode not in out or out[mode].logged.seq < track.logged.seq:
                out[mode] = track
        return out

    # Each takes an event of the type that `TAKERS` names.

    def _ipi(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, IpiSent)
        self.here = None
        mode = FOLLOWED.get(event.mode)
        if mode is None:
            return
        if self.vcpu not in event.targets:
            if not _is_de_assert(event) or "init" not in self.came:
                self.passed[mode] = logged, self.x2apic[event.vcpu]
        elif mode == "fixed":
            self.passed.pop(mode, None)
        else:
            track = self.here = Track(mode, logged, x2apic=self.x2apic[event.vcpu])
            self.came[mode] = track

    def _init(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, InitReceived)
        if event.vcpu == self.vcpu:
            track = self._arrived("init", logged, event.source)
            is_second = self.due.setdefault("init", track) is not track
            track.fate = "merged" if is_second else "pending"

    def _sipi(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, SipiReceived)
        if event.vcpu == self.vcpu:
            track = self._arrived("sipi", logged, event.source)
            track.fate, track.why = "pending", ""
            if event.latched is not None:
                track.fate, track.why = event.latched.code, event.latched.text
            self.timely = track

    def _nmi(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, NmiReceived)
        if event.vcpu == self.vcpu:
            track = self._arrived("nmi", logged, event.source)
            is_second = self.due.setdefault("nmi", track) is not track
            track.fate = "merged" if is_second else "pending"

    def _arrived(self, mode: str, logged: Logged, source: str) -> Track:
        """Return the track of what has just come to the vCPU; of a pin it is new."""
        here, held = self.here, self.held.get(mode)
        if here is not None and here.mode == mode and here.logged.at == logged.at:
            track = here
        elif held is not None:
            track = self.held.pop(mode)
        else:
            track = Track(mode, logged)
        track.source = source
        self.came[mode] = track
        return track

    def _nmi_delivered(self, logged: Logged) -> None:
        if logged.event.vcpu == self.vcpu:
            self._end("nmi", "delivered", logged.at)

    def _run_state(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, RunStateChanged)
        if event.vcpu != self.vcpu:
            return
        set_, gone = event.after & ~event.before, event.before & ~event.after
        timely, self.timely = self.timely, None
        is_latched = set_ & PEND_SIPI or event.before == event.after
        if is_latched and timely is not None:
            before = self.due.get("sipi")
            if before is not None and before is not timely:
                before.fate = "overwritten"
            self.due["sipi"] = timely
            timely.fate = "latched" if timely.why else "pending"
        if set_ & RUN or gone & RUN:
            self._moved(logged, runs=bool(set_ & RUN))
        if gone & PEND_INIT:
            self._end("init", "restarted" if event.after & RUN else "taken", logged.at)
            self._end("nmi", "cleared", logged.at)
        elif set_ & INIT and not event.after & PEND_INIT and self.here is not None:
            self._instead("init", "taken", logged.at)
        if gone & PEND_SIPI:
            self._end("sipi", "started" if set_ & RUN else "cleared", logged.at)
        elif set_ & RUN and not gone & PEND_INIT:
            self._instead("sipi", "started", logged.at)

    def _moved(self, logged: Logged, *, runs: bool) -> None:
        """Note what made it run, or what ended that."""
        self.started = logged if runs else None
        if runs:
            self.starter = self.due.get("sipi") or self.came.get("sipi")
            self.stopped = None
        else:
            self.stopped = self.due.get("init") or self.came.get("init")

    def _end(self, mode: str, fate: str, at: int) -> None:
        track = self.due.pop(mode, None)
        if track is not None:
            track.fate, track.until = fate, at

    def _instead(self, mode: str, fate: str, at: int) -> None:
        """End the last one where it is not the run-state that makes it pending."""
        track = self.came.get(mode)
        if track is not None and track.fate == "sent":
            track.fate, track.until = fate, at

    def _interfered(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Interfered)
        here = self.here
        if event.vcpu != self.vcpu or here is None or event.action == "duplicate":
            return
        here.fate, here.why = f"rule-{event.action}", event.text
        if event.action == "delay":
            self.held[here.mode] = here

    def _oddity(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, Oddity)
        here = self.here
        if event.vcpu == self.vcpu and here is not None and here.fate == "sent":
            here.fate, here.why = "ignored", event.text

    def _mode(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, ApicModeChanged)
        self.x2apic[event.vcpu] = event.after == "x2apic"

    def _msr(self, logged: Logged) -> None:
        event = logged.event
        assert isinstance(event, MsrAccessed)
        if event.msr == X2APIC_ICR and event.write and event.fault:
            self._no_icr(logged, event.value, "no-x2apic")

    def _answered(self, logged: Logged) -> None:
        """Take an access that went to the user in place of an ICR."""
        event = logged.event
        assert isinstance(event, Answered)
        is_icr = event.address == self.pages.get(event.vcpu, 0) + XAPIC_ICR
        if event.what == "mmio" and not event.read and is_icr:
            self._no_icr(logged, event.data, "no-xapic")

    def _no_icr(self, logged: Logged, value: int, fate: str) -> None:
        """Keep a write that was meant for an ICR, and was none."""
        sender = logged.event.vcpu
        mode = icr.decode(value, x2apic=True, sender=sender).mode
        if mode in BOOT_AND_NMI:
            self.astray[mode] = Track(mode, logged, fate=fate)

    def _halted(self, logged: Logged) -> None:
        """Forget what could not have woken it from this HLT."""
        if logged.event.vcpu == self.vcpu:
            self.passed.pop("fixed", None)
            self.passed.pop("nmi", None)

    def _vector(self, logged: Logged) -> None:
        event = logged.event
        if event.vcpu != self.vcpu:
            return
        self.refused = None
        if isinstance(event, VectorRefused):
            self.refused = Track("fixed", logged, fate="refused")
            self.refused.source, self.refused.why = event.source, event.why

    def _rebooted(self, _logged: Logged) -> None:
        """Forget: it is another life."""
        self.came.clear()
        self.passed.clear()
        self.astray.clear()
        self.due.clear()
        self.held.clear()
        self.here = self.timely = self.refused = None
        self.starter = self.started = self.stopped = None


TAKERS: Final[Mapping[type, Callable[[Tracks, Logged], None]]] = {
    IpiSent: Tracks._ipi,  # noqa: SLF001 - a table of the class
    InitReceived: Tracks._init,  # noqa: SLF001
    SipiReceived: Tracks._sipi,  # noqa: SLF001
    NmiReceived: Tracks._nmi,  # noqa: SLF001
    NmiDelivered: Tracks._nmi_delivered,  # noqa: SLF001
    RunStateChanged: Tracks._run_state,  # noqa: SLF001
    Interfered: Tracks._interfered,  # noqa: SLF001
    Oddity: Tracks._oddity,  # noqa: SLF001
    ApicModeChanged: Tracks._mode,  # noqa: SLF001
    MsrAccessed: Tracks._msr,  # noqa: SLF001
    Answered: Tracks._answered,  # noqa: SLF001
    Halted: Tracks._halted,  # noqa: SLF001
    VectorAccepted: Tracks._vector,  # noqa: SLF001
    VectorRefused: Tracks._vector,  # noqa: SLF001
    Rebooted: Tracks._rebooted,  # noqa: SLF001
}
"""Kinds of events that are looked at, and by whom."""


OF_OTHERS: Final = frozenset(
    {IpiSent, ApicModeChanged, MsrAccessed, Answered, Rebooted}
)
"""Those that are looked at whatever vCPU they are of."""


def tracks(machine: Machine, it: Vcpu) -> Tracks:
    """Walk through the history that is known, once, oldest event first."""
    number, history = it.id, machine.log.last(KEPT)
    wide = {v.id: apic_state.mode(v.apic) == "x2apic" for v in machine.vcpus}
    for logged in reversed(history):
        if type(logged.event) is ApicModeChanged:
            wide[logged.event.vcpu] = logged.event.before == "x2apic"
    pages = {v.id: apic_state.base(v.apic) for v in machine.vcpus}
    found = Tracks(number, machine.log.first_seq, wide, pages)
    for logged in history:  # 65,536 of them, mostly of no interest
        event = logged.event
        take = TAKERS.get(type(event))
        if take is not None and (event.vcpu == number or type(event) in OF_OTHERS):
            take(found, logged)
    _ignored(found)
    return found


def _ignored(found: Tracks) -> None:
    """End the SIPI of which no event tells: where userspace starts a vCPU it may be.

    Known only where the history goes back to the beginning.
    """
    sipi, init = found.came.get("sipi"), found.came.get("init")
    if sipi is None or sipi.fate != "sent" or found.since:
        return
    seq = sipi.logged.seq
    if found.started is not None and found.started.seq < seq:
        sipi.fate, sipi.why = init_sipi.RUNS.code, init_sipi.RUNS.text
    elif init is None or init.logged.seq > seq:
        sipi.fate, sipi.why = init_sipi.NO_INIT.code, init_sipi.NO_INIT.text


def _is_de_assert(sent: IpiSent) -> bool:
    """Tell whether it is the second half of an INIT of old, which nobody needs."""
    return sent.dropped is not None and sent.dropped.code == "init-deassert"
