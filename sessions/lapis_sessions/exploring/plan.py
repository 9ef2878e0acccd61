"""What one run of an exploration will do, drawn from its seed: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.acts import Act

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: Final = ("delay", "drop")
"""What may be done to IPIs."""
LONGEST: Final = (4.0, 13.0)
"""Logarithms of the least and the most instructions of a run's longest turn."""
FURTHEST: Final = 4.0
"""Logarithm of the number of the last copy of an IPI that is interfered with."""
DELAYS: Final = (7.0, 24.0)
"""Logarithms of the shortest and the longest delay, ns."""
SHORT: Final = 16
"""Instructions of the longest turn right after an IPI."""
NERVOUS: Final = 6
"""How many turns after an IPI are short."""
ALONE: Final = 16_384
"""Instructions of a turn of the only vCPU that is awake: an event ends it that may wake
another."""
EVENTS: Final = ("ipi", "boot", "accept")
"""Events (`catch`) at which a turn may end: what they bring is for another vCPU."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A vCPU runs alone."""

    vcpu: int
    count: int
    """Instructions, at most; 0 only takes in an INIT that is pending."""


Step = Turn | Act
"""What is done to a machine: a turn, or an act that moves no time."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to one copy of an IPI."""

    action: str
    """One of `KINDS`."""
    nth: int
    """Which of all copies, from 1."""
    by: int = 0
    """ns, of a delay."""

    @property
    def act(self) -> Act:
        """The act that brings it about."""
        args = {"action": self.action, "mode": None, "to": None, "sender": None}
        return Act(
            "interfere", {**args, "vector": None, "nth": self.nth, "by": self.by}
        )

    @property
    def text(self) -> str:
        """It in words."""
        tail = f" by {self.by} ns" if self.action == "delay" else ""
        return f"{self.action} IPI {self.nth}{tail}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices of one run; its turns are drawn from `seed` as it goes."""

    number: int
    """Of the run, from 0."""
    seed: int
    longest: int
    """Instructions of its longest turn."""
    at_ipis: bool
    """Whether a turn ends at each IPI and its arrival, and some short ones follow."""
    disturbances: tuple[Disturbance, ...]

    def turns(self) -> Random:
        """Return the chance that its turns are drawn from."""
        return Random(f"{self.seed}/turns")


def seed_of(seed: int, number: int) -> int:
    """Return the seed of run `number` of an exploration, 48 bits."""
    return int.from_bytes(blake2b(f"{seed}/{number}".encode(), digest_size=6).digest())


def draw(seed: int, number: int, kinds: Sequence[str]) -> Plan:
    """Draw the plan of run `number`; every other run leaves the IPIs alone."""
    own = seed_of(seed, number)
    chance = Random(f"{own}/plan")
    longest = logarithmic(chance, *LONGEST)
    at_ipis = chance.random() < 0.75
    found: list[Disturbance] = []
    if kinds and number % 2:
        found = [_disturbance(chance, kinds) for _ in range(chance.choice((1, 1, 2)))]
    return Plan(number, own, longest, at_ipis, tuple(found))


def _disturbance(chance: Random, kinds: Sequence[str]) -> Disturbance:
    action = chance.choice(kinds)
    nth = logarithmic(chance, 0.0, FURTHEST)
    by = logarithmic(chance, *DELAYS) if action == "delay" else 0
    return Disturbance(action, nth, by)


def logarithmic(chance: Random, least: float, most: float) -> int:
    """Draw a number of any size from 2**least to 2**most, each size as likely.

    Races have windows of a few instructions at places that may be far apart: short
    turns hit the one, long ones come to the other.
    """
    return int(2.0 ** chance.uniform(least, most))
