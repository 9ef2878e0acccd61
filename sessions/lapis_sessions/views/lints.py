"""What checks the guest while it runs: the lints and isrvec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_sessions.views.apic import vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class FindingView:
    """What a lint has found at one place."""

    vcpu: int
    place: str
    times: int


@dataclass(frozen=True, slots=True)
class LintView:
    """A lint."""

    name: str
    on: bool
    found: int
    text: str
    places: tuple[FindingView, ...]


@dataclass(frozen=True, slots=True)
class IsrvecView:
    """bhyve's stack of vectors in service, and whether the ISR agrees with it."""

    vcpu: int
    on: bool
    gives_ppr: bool
    stack: tuple[int, ...]
    isr: tuple[int, ...]
    agrees: bool
    text: str
    """In what they differ, or nothing."""


def of(machine: Machine) -> list[LintView]:
    """Return the lints with what they have found."""
    lints = machine.lints
    return [
        LintView(name, name not in lints.state.off, lints.count(name), it.text, tuple(
            FindingView(vcpu, place, times)
            for (of, vcpu, place), times in lints.state.found.items()
            if of == name
        ))
        for name, it in lints.lints.items()
    ]  # fmt: skip


def isrvec(machine: Machine, number: int) -> IsrvecView:
    """Return the stack of one vCPU, and whether the ISR agrees with it."""
    apic = machine.vcpu(number).apic
    gives_ppr = apic.isrvec is not None
    stack = apic.isrvec if gives_ppr else apic.isrvec_view
    differ = priority.out_of_sync(stack, apic.isr)
    return IsrvecView(
        vcpu=number,
        on=stack is not None,
        gives_ppr=gives_ppr,
        stack=tuple(stack or ()),
        isr=tuple(priority.vectors(apic.isr)),
        agrees=differ is None,
        text=differ or "",
    )


def text(rows: Sequence[LintView]) -> str:
    """Return the lints, each with the places of its findings."""
    out = []
    for row in rows:
        on = "on " if row.on else "off"
        out.append(f"{on} {row.found:>7}  {row.name:<18} {row.text}")
        out += [
            f"{place.times:>11}  vCPU {place.vcpu} {place.place}".rstrip()
            for place in row.places
        ]
    return "\n".join(out)


def isrvec_text(view: IsrvecView) -> str:
    """Say what is in the stack and in the ISR, and whether that agrees."""
    if not view.on:
        return f"vCPU {view.vcpu}: isrvec is off; set isrvec on"
    what = "gives the PPR" if view.gives_ppr else "checks the ISR"
    stack, isr = vectors(view.stack), vectors(view.isr)
    verdict = "they agree" if view.agrees else "they do NOT agree"
    return f"vCPU {view.vcpu}: isrvec_stk {stack} ({what}); ISR {isr}; {verdict}"
