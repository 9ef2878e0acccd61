"""What became of the last INIT, SIPI and NMI that was sent to a vCPU, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.explain.moments import moment
from lapis_engine.vmm import run_state
from lapis_engine.why.causes import missed
from lapis_engine.why.causes.tracks import BOOT_AND_NMI, tracks
from lapis_engine.why.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.causes.tracks import Track, Tracks

NAMES: Final = {"init": "INIT", "sipi": "SIPI", "nmi": "NMI", "fixed": "vector"}
ENDS: Final[Mapping[str, str]] = {
    "sent": "came to it, and what it did is not known",
    "taken": "was taken at {until}",
    "restarted": "restarted it at the reset vector at {until}",
    "merged": "came while another was pending: they are one",
    "started": "started it at {start:#x} at {until}",
    "cleared": "was forgotten when it took INIT at {until}",
    "overwritten": "was overwritten by a later one",
    "delivered": "was delivered at {until}",
    "latched": "is kept and does not start it: {why}",
    "no-init": "was ignored: {why}",
    "runs": "was ignored: {why}",
    "earlier": "was ignored: {why}",
    "ignored": "was ignored: {why}",
    "rule-drop": "was dropped by a rule of yours ({why})",
    "rule-delay": "is held back by a rule of yours ({why})",
    "refused": "was refused: {why}",
}
"""How each fate is told, after its subject."""
GONE: Final = "is no longer pending"
PENDING: Final = {
    "init": "is pending, and is taken at its next entry",
    "sipi": "is pending, and starts it at {start:#x} at its next entry",
    "nmi": "is pending, and is delivered at its next entry",
}
HELD_NMI: Final = "is pending, and waits for the IRET of the NMI handler"
IN_WAIT: Final = "is pending, and is lost when it takes INIT: it has not been started"
RULES: Final = frozenset({"rule-drop", "rule-delay"})
"""Fates by a rule of the user's."""
GOOD: Final = frozenset(
    {"taken", "restarted", "started", "delivered", "pending", "merged", "runs"}
)
"""Fates that explain nothing."""


@dataclass(frozen=True, slots=True)
class MessageFate:
    """One INIT, SIPI, NMI or vector, and what became of it."""

    mode: str
    """init, sipi, nmi, fixed."""
    event: int
    """Number of the event that sent it."""
    at: int
    """ns."""
    source: str
    icr: int | None
    """As written; None where it was no IPI, or its ICR is no longer known."""
    vector: int | None
    came: bool
    """To this vCPU, whatever that made of it."""
    fate: str
    """A short name."""
    until: int | None
    """ns at which it ended."""
    text: str
    """One sentence, without a full stop."""

    @property
    def reason(self) -> Reason:
        """The same as a reason."""
        values = {"event": self.event, "at": self.at}
        if self.icr is not None:
            values["icr"] = self.icr
        if self.vector is not None:
            values["vector"] = self.vector
        rule = "interfered" if self.fate in RULES else self.fate
        return Reason(rule, self.text, values, blocks=self.fate not in GOOD)


@dataclass(frozen=True, slots=True)
class Fates:
    """The last ones of each mode."""

    since: int
    """The first event that is known: 0 when all are."""
    came: Mapping[str, MessageFate]
    missed: Mapping[str, MessageFate]
    """Those that were sent and did not come to it."""
    refused: MessageFate | None
    """The last vector that its APIC did not take, if none was taken after."""
    starter: MessageFate | None
    """The SIPI that it runs by, if that is known."""
    started: Logged | None
    """The change of its run-state when it last began to run."""
    stopped: MessageFate | None
    """The INIT that ended that."""

    @property
    def all(self) -> tuple[MessageFate, ...]:
        """INITs, SIPIs and NMIs as they were sent."""
        found = [*self.came.values(), *self.missed.values()]
        told = [fate for fate in found if fate.mode in BOOT_AND_NMI]
        return tuple(sorted(told, key=lambda fate: fate.event))


def fates(machine: Machine, it: Vcpu) -> Fates:
    """Return what became of the last INIT, SIPI and NMI for `it`."""
    found = tracks(machine, it)
    return Fates(
        found.since,
        {mode: _came(it, track, found) for mode, track in found.came.items()},
        {mode: _missed(machine, it, track) for mode, track in found.missed.items()},
        _known(it, found.refused, found),
        _known(it, found.starter, found),
        found.started,
        _known(it, found.stopped, found),
    )


def _known(it: Vcpu, track: Track | None, found: Tracks) -> MessageFate | None:
    return None if track is None else _came(it, track, found)


def _came(it: Vcpu, track: Track, found: Tracks) -> MessageFate:
    tail = None
    if track.fate == "pending":
        is_due = found.due.get(track.mode) is track
        tail = _pending(it, track) if is_due else GONE
    return _fate(track, tail, came=True)


def _pending(it: Vcpu, track: Track) -> str:
    """Return what a message that is pending waits for, by the state of now."""
    state, mode = it.run_state, track.mode
    if mode == "nmi":
        if not it.nmi_pending:
            return GONE
        if not run_state.can_run(state):
            return IN_WAIT
        return HELD_NMI if it.nmi_blocked else PENDING[mode]
    bit = run_state.PEND_INIT if mode == "init" else run_state.PEND_SIPI
    return PENDING[mode].format(start=track.vector << 12) if state & bit else GONE


def _missed(machine: Machine, it: Vcpu, track: Track) -> MessageFate:
    """Return why it did not come, with the code of that for its fate."""
    if track.sent is None:
        return _no_icr(machine, track)
    why = missed.missed(machine.vm, it, track.sent, x2apic=track.x2apic)
    return _fate(track, why.text, came=False, fate=why.rule)


def _no_icr(machine: Machine, track: Track) -> MessageFate:
    """Say of a write that was meant for an ICR why it was none."""
    sender = track.logged.event.vcpu
    mode = apic_state.mode(machine.vcpus[sender].apic)
    where = "to the MSR 0x830" if track.fate == "no-x2apic" else "to the page of xAPIC"
    wanted = "x2apic" if track.fate == "no-x2apic" else "xapic"
    is_so = mode != wanted
    now = f"is {MODE_WORDS.get(mode, mode)}" if is_so else "was not in that mode"
    text = f"went nowhere: it was written {where}, and the APIC of vCPU {sender} {now}"
    return _fate(track, text, came=False)


MODE_WORDS: Final = {
    "xapic": "in xAPIC mode", "x2apic": "in x2APIC mode", "disabled": "switched off",
}  # fmt: skip


def _fate(
    track: Track, tail: str | None = None, *, came: bool, fate: str | None = None
) -> MessageFate:
    vector = track.vector if track.mode in {"sipi", "fixed"} else None
    if tail is None:
        until = "an unknown moment" if track.until is None else moment(track.until)
        start = track.vector << 12
        tail = ENDS[track.fate].format(until=until, why=track.why, start=start)
    return MessageFate(
        mode=track.mode, event=track.logged.seq, at=track.logged.at,
        source=_source(track), icr=track.icr, vector=vector, came=came,
        fate=fate or track.fate, until=track.until,
        text=f"{_head(track, vector)} {tail}",
    )  # fmt: skip


def _source(track: Track) -> str:
    return track.source or f"vCPU {track.logged.event.vcpu}"


def _head(track: Track, vector: int | None) -> str:
    name = NAMES[track.mode]
    number = "" if vector is None else f" {vector:#04x}"
    return f"{name}{number} at {moment(track.logged.at)} from {_source(track)}"
