"""What the lints remember: plain data, part of every snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """What a rule found once."""

    name: str
    vcpu: int
    """The vCPU that it is about."""
    place: str
    """Findings of one lint about one vCPU at one place are one finding."""
    text: str
    values: tuple[tuple[str, int], ...] = ()
    """What it was found by, each with its name: numbers for who does not read."""


@dataclass(slots=True)
class FoundAt:
    """Where a finding was told, which is where it was found first."""

    seq: int | None
    """Number of the event at which it was found; None between events."""
    at: int
    """ns of virtual time."""
    ran: int | None
    """The vCPU that ran then; None by the user's hand, or while time passed."""
    rip: int | None
    """RIP of that vCPU."""
    values: tuple[tuple[str, int], ...]
    text: str


@dataclass(slots=True)
class Spin:
    """The watch on a BSP that may spin."""

    on: bool = False
    linear: int = 0
    """Where it was seen first."""
    retired: int = 0
    """Its instructions when it was seen last."""
    count: int = 0
    """Times in a row that it was seen there."""


@dataclass(slots=True)
class LintState:
    """Everything the lints have to remember."""

    off: tuple[str, ...] = ()
    """Names of those that are switched off."""
    found: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """(name, vCPU, place) -> times."""
    served: dict[tuple[int, int], int] = field(default_factory=dict)
    """(vCPU, level vector in service) -> ticks since its delivery."""
    spin: Spin = field(default_factory=Spin)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What lints remember that have a memory of their own; none that remembers
    nothing."""
    told: dict[tuple[str, int, str], FoundAt] = field(default_factory=dict)
    """Where each of `found` was told. No hash is over it: it says in other words what
    the events say, and stays when they are forgotten."""
