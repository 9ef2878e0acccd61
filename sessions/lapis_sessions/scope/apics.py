"""Local APICs and interrupt controllers by the names of their registers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import LVTS
from lapis_engine.explain import explain
from lapis_sessions.scope.lazy import Lazy, Made
from lapis_sessions.scope.registers import decoded
from lapis_sessions.text.decoded import Decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.apic.state import ApicState
    from lapis_engine.devices.ioapic.state import IoapicState, PinState
    from lapis_engine.devices.pic.state import ChipState, PicState
    from lapis_engine.machine.machine import Machine

NAMED: Final = ("tpr", "ppr", "svr", "esr", "dfr", "apicbase")
"""Registers that `explain` knows by the same name."""


def _worded(value: int, what: str) -> Decoded:
    """Return a register with its fields, its raw value and its text."""
    parts = {**decoded(value, what).parts, "raw": value}
    return Decoded(value, what, {**parts, "text": explain(what, value).text})


def _lvt(state: ApicState) -> Mapping[str, Any]:
    return {
        name.removeprefix("lvt_"): _worded(int(getattr(state, name)), "lvt")
        for name in LVTS
    }


def _timer(state: ApicState) -> Mapping[str, Any]:
    return {
        "initial": state.timer_initial,
        "divide": decoded(state.timer_divide, "divide"),
        "deadline": state.timer_deadline,
        "tsc_deadline": state.tsc_deadline,
    }


MAKERS: Final[Mapping[str, Callable[[ApicState], Any]]] = MappingProxyType(
    {
        "vcpu": lambda state: state.vcpu,
        "id": apic_state.apic_id,
        "mode": apic_state.mode,
        **{
            name: lambda state, name=name: decoded(getattr(state, name), name)  # type: ignore[misc]
            for name in NAMED
        },
        "ldr": lambda state: decoded(apic_state.logical_id(state), "ldr"),
        "irr": lambda state: list(priority.vectors(state.irr)),
        "isr": lambda state: list(priority.vectors(state.isr)),
        "tmr": lambda state: list(priority.vectors(state.tmr)),
        "icr": lambda state: _worded(state.icr, "icr"),
        "lvt": _lvt,
        "timer": _timer,
    }
)


def local(machine: Machine, number: int) -> Mapping[str, Any]:
    """Return the local APIC of a vCPU; IRR, ISR and TMR are lists of vectors."""
    return Made(MAKERS, machine.vcpu(number).apic)


def ioapic(state: IoapicState) -> Mapping[str, Any]:
    """Return the IOAPIC: `ioapic.pin[2].vector`."""
    return Lazy(
        {
            "id": lambda: state.id >> 24 & 0xF,
            "version": lambda: state.version,
            "pin": lambda: [_pin(pin) for pin in state.pins],
        }
    )


def _pin(pin: PinState) -> Decoded:
    known = decoded(pin.entry, "rte")
    return Decoded(pin.entry, "rte", {**known.parts, "asserted": pin.count})


def pic(state: PicState) -> Mapping[str, Any]:
    """Return the two 8259s: `pic.master.imr`."""
    return Lazy(
        {"master": lambda: _chip(state.master), "slave": lambda: _chip(state.slave)}
    )


def _chip(chip: ChipState) -> Mapping[str, int]:
    return {
        "irr": chip.edges | chip.lines & chip.elcr, "isr": chip.isr, "imr": chip.imr,
        "elcr": chip.elcr, "base": chip.base, "lines": chip.lines,
    }  # fmt: skip
