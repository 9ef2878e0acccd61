"""The rules that get in the way of IPIs, and the IPIs that are on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.vmm.interference import EVERY

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.interference import Held, Rule


@dataclass(frozen=True, slots=True)
class InterferenceView:
    """A rule that drops, delays or duplicates IPIs; None is any."""

    number: int
    action: str
    mode: str | None
    to: int | None
    from_: int | None
    vector: int | None
    nth: int | None
    """Which of those that match, from 1, or None for every one."""
    by: int
    """ns of a delay."""
    seen: int
    """IPIs that matched so far."""
    done: int
    """Those on which it acted."""
    text: str


@dataclass(frozen=True, slots=True)
class HeldView:
    """An IPI that is on its way."""

    rule: int
    mode: str
    vector: int
    from_: int
    to: int
    due: int
    """ns of virtual time at which it arrives."""


@dataclass(frozen=True, slots=True)
class InterferencesView:
    """All that gets in the way of IPIs."""

    rules: tuple[InterferenceView, ...]
    held: tuple[HeldView, ...]


def of(rule: Rule) -> InterferenceView:
    """Return a rule, and what it has done."""
    return InterferenceView(
        number=rule.number,
        action=rule.action,
        mode=rule.mode,
        to=rule.to,
        from_=rule.sender,
        vector=rule.vector,
        nth=None if rule.nth == EVERY else rule.nth,
        by=rule.by,
        seen=rule.seen,
        done=rule.done,
        text=rule.text,
    )


def every(machine: Machine) -> InterferencesView:
    """Return the rules, and the IPIs that are on their way."""
    state = machine.vm.interference
    return InterferencesView(tuple(map(of, state.rules)), tuple(map(_held, state.held)))


def _held(held: Held) -> HeldView:
    return HeldView(
        rule=held.rule,
        mode=held.ipi.mode,
        vector=held.ipi.vector,
        from_=held.ipi.sender,
        to=held.target,
        due=held.due,
    )


def text(view: InterferenceView) -> str:
    """Say what a rule is and what it has done."""
    return f"{view.text}; {view.seen} seen, {view.done} of them acted on"


def every_text(view: InterferencesView) -> str:
    """Return the rules, and what is on its way."""
    out = [text(row) for row in view.rules]
    out += [
        f"on its way: {row.mode} {row.vector:#04x} from vCPU {row.from_} to "
        f"vCPU {row.to}, arrives at {row.due:,} ns (rule {row.rule})"
        for row in view.held
    ]
    return "\n".join(out) or "no rule gets in the way of an IPI"
