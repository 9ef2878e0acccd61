"""A local APIC: what the command `apic`, the panes and conditions show of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine import explain
from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic import timer as apic_timer
from lapis_engine.apic.regs import LVTS
from lapis_engine.explain import apic as explain_apic
from lapis_sessions.plain import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.apic.state import ApicState
    from lapis_engine.machine.machine import Machine

LVT_CMCI: Final = 6
"""LVT index of CMCI: it is there when VERSION[23:16] says so."""


@dataclass(frozen=True, slots=True)
class Worded:
    """A register, and what it means."""

    raw: int
    text: str


@dataclass(frozen=True, slots=True)
class TimerView:
    """The timer of a local APIC."""

    initial: int
    divide: int
    deadline: int | None
    """ns of virtual time, or None when stopped."""
    now: int = field(metadata=LEFT_OUT)
    """When it was looked at, ns of virtual time."""
    count: int = field(default=0, metadata=LEFT_OUT)
    """The current count, in ticks."""
    divisor: int = field(default=2, metadata=LEFT_OUT)
    """What the clock is divided by."""


@dataclass(frozen=True, slots=True)
class ApicView:
    """One local APIC; values as the guest would read them."""

    vcpu: int
    mode: str
    """disabled, xapic or x2apic."""
    id: int
    apicbase: int
    tpr: int
    ppr: int
    isr: tuple[int, ...]
    """Vectors, ascending; so are `irr` and `tmr`."""
    irr: tuple[int, ...]
    tmr: tuple[int, ...]
    icr: Worded
    svr: int
    esr: int
    ldr: int
    dfr: int
    lvt: Mapping[str, Worded]
    """Those that there are, by short name."""
    timer: TimerView

    @property
    def timer_text(self) -> str:
        """Whether and when the timer fires, in a few words."""
        if self.timer.deadline is None:
            return "stopped"
        lvt = self.lvt["timer"].raw
        mode, masked = explain.TIMER_MODES[lvt >> 17 & 3], lvt >> 16 & 1
        left = max(self.timer.deadline - self.timer.now, 0)
        tail = ", masked" if masked else ""
        return f"{mode} vector {lvt & 0xFF:02x} in {left:,} ns{tail}"

    @property
    def lvt_text(self) -> str:
        """The LVT registers on one line."""
        return "  ".join(f"{name} {each.raw:05x}" for name, each in self.lvt.items())


def of(machine: Machine, number: int) -> ApicView:
    """Return the local APIC of a vCPU."""
    state = machine.vcpu(number).apic
    mode = apic_state.mode(state)
    return ApicView(
        vcpu=number,
        mode=mode,
        id=apic_state.apic_id(state),
        apicbase=state.apicbase,
        tpr=state.tpr,
        ppr=state.ppr,
        isr=tuple(priority.vectors(state.isr)),
        irr=tuple(priority.vectors(state.irr)),
        tmr=tuple(priority.vectors(state.tmr)),
        icr=Worded(state.icr, apic_icr.icr_text(state.icr, x2apic=mode == "x2apic")),
        svr=state.svr,
        esr=state.esr,
        ldr=apic_state.logical_id(state),
        dfr=state.dfr,
        lvt=_lvts(state, machine.config.profile.apic_version),
        timer=TimerView(
            state.timer_initial,
            state.timer_divide,
            state.timer_deadline,
            machine.now,
            apic_timer.current_count(state, machine.now, machine.config.profile),
            apic_timer.divisor(state),
        ),
    )


def _lvts(state: ApicState, version: int) -> dict[str, Worded]:
    """Return the LVT registers that this APIC has, by short name."""
    has_cmci = (version >> 16) & 0xFF >= LVT_CMCI
    return {
        name.removeprefix("lvt_"): _lvt(name, int(getattr(state, name)))
        for name in LVTS
        if name != "lvt_cmci" or has_cmci
    }


def _lvt(name: str, raw: int) -> Worded:
    if name == "lvt_timer":
        return Worded(raw, explain.explain("lvt", raw).text)
    return Worded(raw, explain_apic.lvt_text(raw))


def text(view: ApicView) -> str:
    """Return one local APIC in words."""
    head = (
        f"vCPU {view.vcpu}: local APIC {view.id:#x}, {view.mode}, "
        f"APICBASE {view.apicbase:#x}"
    )
    numbers = (
        f"TPR {view.tpr:#04x}  PPR {view.ppr:#04x}  SVR {view.svr:#x}  "
        f"ESR {view.esr:#x}  LDR {view.ldr:#x}  DFR {view.dfr:#x}"
    )
    banks = (("IRR", view.irr), ("ISR", view.isr), ("TMR", view.tmr))
    out = [head, numbers, *(f"{name} {vectors(bank)}" for name, bank in banks)]
    out.append(f"ICR {view.icr.raw:#x} ({view.icr.text})")
    out += [f"LVT {n:<8} {each.raw:#07x} ({each.text})" for n, each in view.lvt.items()]
    when = view.timer.deadline
    fires = "stopped" if when is None else f"fires at {when:,} ns"
    return "\n".join([*out, f"timer {fires}, initial count {view.timer.initial:#x}"])


def vectors(found: tuple[int, ...]) -> str:
    """Return vectors on one line."""
    return " ".join(f"{vector:#04x}" for vector in found) or "empty"
