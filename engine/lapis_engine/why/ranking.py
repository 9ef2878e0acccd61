"""Which of many reasons comes first: the one that a person would want to hear.

Of a vector that is nowhere, what became of it counts more than what stands in the way
of those who could send it, and an entry as it is after reset hardly counts at all. Of
one that waits, what lasts counts more than what is over in a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import LVT_RESET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.why.reason import Reason

TOLD: Final = 3
"""Reasons that an answer gives unasked."""

HAPPENED: Final = (
    "eoi-as-edge", "interfered", "refused", "init-cleared", "edge-lost",
    "fired-in-vain", "timer-count-ignored", "timer-deadline-ignored",
    "timer-disarmed", "tmr-cleared",
)  # fmt: skip
"""What became of it, with the event or the write that did it."""
REFUSES: Final = ("panic", "suspended", "svr", "apicbase", "illegal-vector")
"""Whoever sends it."""
PRESENT: Final = (
    "isa-line-0", "lvt-mask", "ioapic-mask", "pic-spurious", "pic-in-service",
    "pic-mask", "pic-fell", "pic-not-ready", "lint0", "timer-count-0",
    "timer-not-armed", "timer-expired", "timer-stopped", "timer-deadline-unknown",
    "remote-irr",
    "destination", "elsewhere", "dropped", "lowest-priority", "not-implemented",
    "pic-priority", "pic-edge", "edge", "nmi-blocking",
)  # fmt: skip
"""What stands in the way of one who could send it."""
OVER: Final = ("merged", "delivered", "arrived")
CAME: Final = frozenset(OVER[:2])
"""It has been delivered; of several that came, once."""
WAITS: Final = ("timer", "ioapic", "lint", "lvt", "line")
"""Nothing is wrong, and nothing has come."""
NOBODY: Final = ("svr-spurious", "bad-message", "no-source")
MOMENTARY: Final = frozenset({
    "exit-first", "event-in-flight", "nmi-first", "extint-first", "higher-vector",
    "shadow",
})  # fmt: skip
"""What keeps a vector from one entry, and not from the next."""
WITH_TIME: Final = frozenset({"dropped", "destination", "elsewhere"})
"""These are of the present; of what has happened where they say when."""


def absent(found: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons for a vector that is nowhere, the likeliest first."""
    rows = list(found)
    over = [row.values.get("at", -1) for row in rows if row.rule in CAME]
    done = max(over, default=-1)
    return tuple(sorted(rows, key=lambda row: _weight(row, done)))


def _weight(reason: Reason, done: int) -> tuple[int, int]:
    """Return what to sort by; at `done` ns all was well."""
    rule, values = reason.rule, reason.values
    if is_as_after_reset(reason):
        return 6, 0
    at = values.get("at", 0)
    if rule in WITH_TIME and 0 < at <= done:
        return 3, len(OVER)
    if rule == "elsewhere" and "vcpu" in values:
        return 3, len(OVER)  # it may have a timer of its own with that vector
    if rule in HAPPENED or (rule in WITH_TIME and "at" in values):
        return 0, -at
    for weight, rules in enumerate((REFUSES, PRESENT, OVER, WAITS, NOBODY), start=1):
        if rule in rules:
            return weight, rules.index(rule)
    return 2, len(PRESENT)


def is_as_after_reset(reason: Reason) -> bool:
    """Tell whether it is about an entry that nobody has written.

    Both have vector 0, which is illegal, and are masked; an ICR has vector 0.
    """
    values = reason.values
    untouched = values.get("lvt") == LVT_RESET or values.get("entry") == LVT_RESET
    return untouched or values.get("icr") == 0


def waiting(found: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons for one that waits: what blocks it, what lasts before it."""
    return tuple(sorted(found, key=lambda it: (not it.blocks, it.rule in MOMENTARY)))
