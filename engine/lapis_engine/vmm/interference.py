"""Rules of the user's that drop, delay or duplicate IPIs on their way to a target.

A rule counts the copies that it matches in the order in which they are sent, one for
each target, targets ascending, whatever other rules do with them; it acts on one of
them, or on every one. Of several rules whose turn it is the one with the lowest number
acts. A delayed copy arrives when virtual time has reached its moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import MODES
from lapis_engine.errors import EngineError
from lapis_engine.events import Interfered

if TYPE_CHECKING:
    from lapis_engine.apic.icr import Ipi

ACTIONS: Final = ("drop", "delay", "duplicate")
EVERY: Final = 0
"""`Rule.nth` of a rule that acts on every copy that it matches."""
MOST_DELAY: Final = 10**15
"""ns; more than eleven days of virtual time are a slip of the pen."""


@dataclass(slots=True)
class Rule:
    """What is done with which copies."""

    number: int
    action: str
    mode: str | None = None
    """Delivery mode; None is any, here and below."""
    to: int | None = None
    """Target, a vCPU."""
    sender: int | None = None
    vector: int | None = None
    nth: int = 1
    """Which of the copies that match, from 1; or `EVERY`."""
    by: int = 0
    """ns of virtual time, for delay."""
    seen: int = 0
    """Copies that matched so far."""
    done: int = 0
    """Copies on which it acted."""

    @property
    def text(self) -> str:
        """The rule on one line."""
        which = "every" if self.nth == EVERY else f"number {self.nth} of"
        vector = "" if self.vector is None else f" {self.vector:#04x}"
        sender = "" if self.sender is None else f" from vCPU {self.sender}"
        to = "" if self.to is None else f" to vCPU {self.to}"
        by = f" by {self.by} ns" if self.action == "delay" else ""
        kind = f"{_word(self.mode) if self.mode else 'IPI'}{vector}{sender}{to}"
        return f"rule {self.number}: {self.action} {which} {kind}{by}"


@dataclass(slots=True)
class Held:
    """A copy that is on its way."""

    due: int
    """ns of virtual time at which it arrives."""
    ipi: Ipi
    target: int
    source: str
    rule: int


@dataclass(slots=True)
class InterferenceState:
    """Everything there is to remember."""

    rules: list[Rule] = field(default_factory=list)
    """By number."""
    held: list[Held] = field(default_factory=list)
    """In the order in which they were sent."""
    next_number: int = 1
    """Numbers of rules are not used again."""


def add(state: InterferenceState, rule: Rule, vcpus: int) -> Rule:
    """Take a rule in, under the next number; raise `EngineError` when it cannot be."""
    _check(rule, vcpus)
    rule.number = state.next_number
    state.next_number += 1
    state.rules.append(rule)
    return rule


def _check(rule: Rule, vcpus: int) -> None:
    if rule.action not in ACTIONS:
        raise EngineError(f"there is no {rule.action!r}: {', '.join(ACTIONS)}")
    if rule.mode is not None and rule.mode not in MODES:
        raise EngineError(
            f"there is no delivery mode {rule.mode!r}: {', '.join(MODES)}"
        )
    for what, number in (("to", rule.to), ("from", rule.sender)):
        if number is not None and not 0 <= number < vcpus:
            raise EngineError(f"{what} vCPU {number}: they are 0 to {vcpus - 1}")
    if rule.vector is not None and not 0 <= rule.vector <= 0xFF:
        raise EngineError(f"vector {rule.vector:#x}: vectors are 8 bits")
    if rule.nth < EVERY:
        raise EngineError(f"number {rule.nth} of the IPIs: they are counted from 1")
    if rule.action == "delay" and not 1 <= rule.by <= MOST_DELAY:
        raise EngineError(f"a delay of {rule.by} ns: from 1 to {MOST_DELAY} ns")
    if rule.action != "delay" and rule.by:
        raise EngineError(f"{rule.action} by {rule.by} ns: only a delay takes a time")


def clear(state: InterferenceState, number: int | None = None) -> None:
    """Take one rule away, or all; what is on its way still arrives.

    Raises `EngineError` when there is no such rule.
    """
    kept = [] if number is None else [r for r in state.rules if r.number != number]
    if number is not None and len(kept) == len(state.rules):
        known = ", ".join(str(rule.number) for rule in state.rules) or "none"
        raise EngineError(f"there is no rule {number}; there are: {known}")
    state.rules[:] = kept


def copies(
    state: InterferenceState, ipi: Ipi, target: int, source: str, now: int
) -> tuple[int, Interfered | None]:
    """Return how many copies arrive at `target` now, and what a rule did about it."""
    acting = None
    for rule in state.rules:
        if not _matches(rule, ipi, target):
            continue
        rule.seen += 1
        if acting is None and rule.nth in {EVERY, rule.seen}:
            acting = rule
    if acting is None:
        return 1, None
    acting.done += 1
    text = f"{_what(ipi)} from {source} to vCPU {target}, {acting.text}"
    if acting.action == "delay":
        due = now + acting.by
        state.held.append(Held(due, ipi, target, source, acting.number))
        text += f", arrives at {due} ns"
    event = Interfered(target, acting.action, ipi.mode, ipi.sender, text)
    return 2 if acting.action == "duplicate" else 0, event


def _matches(rule: Rule, ipi: Ipi, target: int) -> bool:
    wanted = (
        (rule.mode, ipi.mode),
        (rule.to, target),
        (rule.sender, ipi.sender),
        (rule.vector, ipi.vector),
    )
    return all(value is None or value == found for value, found in wanted)


def _what(ipi: Ipi) -> str:
    has_vector = ipi.mode in {"fixed", "lowest", "sipi"}
    return _word(ipi.mode) + (f" {ipi.vector:#04x}" if has_vector else "")


def _word(mode: str) -> str:
    return mode.upper() if mode in {"smi", "nmi", "init", "sipi"} else mode


def deadline(state: InterferenceState) -> int | None:
    """Return the ns at which the next held copy arrives, or None."""
    return min((held.due for held in state.held), default=None)


def due(state: InterferenceState, now: int) -> list[Held]:
    """Take out the copies that arrive by `now`: by moment, then as they were sent."""
    found = sorted(
        (held for held in state.held if held.due <= now), key=lambda held: held.due
    )
    state.held[:] = [held for held in state.held if held.due > now]
    return found
