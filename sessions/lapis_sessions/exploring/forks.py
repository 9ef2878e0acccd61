"""Schedules as a tree: where one leaves another, and what was seen on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_sessions.exploring.outcomes import Observed


WRITER: Final = 256
"""Bits of those who read a byte, below the bits of those who wrote it."""


class Spin(NamedTuple):
    """A round that a vCPU does over and over, and that changes nothing."""

    bytes: tuple[int, ...]
    """Addresses of those that it reads or writes: while they stay, each is the same."""
    shows: bool
    """Whether shared bytes are other ones for a part of it, and others may see them."""


class Tenure(NamedTuple):
    """A vCPU had the processor, until another was given it."""

    vcpu: int
    ran: int
    """Instructions; 0 of one that has only taken in an INIT."""
    spin: Spin | None = None
    """What it does, where it ended by spinning."""


class Gap(NamedTuple):
    """Where in a schedule another vCPU could have been given the processor."""

    tenure: int
    """Number of the tenure, from 0."""
    ran: int
    """Instructions of it that are done before."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A schedule up to where it leaves another one, and who goes on there."""

    along: tuple[Tenure, ...] = ()
    """The other one, since the window began: all that leave it share it."""
    preemptions: int = 0
    nth: int = 0
    """Which of the vCPUs that could go on, in the order of their numbers from the one
    of the last tenure on, those that spin last; that one is none of them."""
    whole: int | None = None
    """How many tenures it has in common; None is all."""
    cut: int | None = None
    """Instructions of the next one that it has, too, if any."""

    @property
    def before(self) -> tuple[Tenure, ...]:
        """What is done before it leaves."""
        if self.cut is None or self.whole is None:
            return self.along[: self.whole]
        last = Tenure(self.along[self.whole].vcpu, self.cut)
        return (*self.along[: self.whole], last)


@dataclass(frozen=True, slots=True)
class Searched:
    """What the schedule of a fork came to."""

    outcome: Observed | None
    """None where no other vCPU could go on: then there is no such schedule."""
    tenures: tuple[Tenure, ...]
    others: int
    """vCPUs that could go on at the fork, the one that did among them."""
    places: tuple[Gap, ...]
    """Where a preemption may come, in what is the schedule's own."""
    choices: tuple[tuple[int, int], ...]
    """After which tenure of its own another vCPU had to go on, and how many could."""
    touched: Mapping[int, int]
    """Who read each byte, a bit a vCPU, and who wrote it (`WRITER`)."""
    key: bytes
    """What its own part follows from: the state of the machine, and who goes on."""
    retired: int = 0
    switches: int = 0


def shared(touched: Mapping[int, int]) -> frozenset[int]:
    """Return the bytes that two vCPUs accessed and one of them wrote."""
    return frozenset(
        at
        for at, who in touched.items()
        if (wrote := who >> WRITER)
        and (wrote | who & (1 << WRITER) - 1).bit_count() > 1
    )


def beside(fork: Fork, done: Searched) -> Iterator[Fork]:
    """Yield those where another vCPU goes on at the same place."""
    if not fork.nth:
        for nth in range(1, done.others):
            yield replace(fork, nth=nth)


def aside(fork: Fork, done: Searched) -> Iterator[Fork]:
    """Yield those that leave the schedule later without another preemption."""
    for tenure, able in done.choices:
        for nth in range(1, able):
            yield Fork(done.tenures, fork.preemptions, nth, tenure + 1)


def onward(fork: Fork, done: Searched) -> Iterator[Fork]:
    """Yield those that leave it by one preemption more."""
    for tenure, ran in done.places:
        yield Fork(done.tenures, fork.preemptions + 1, 0, tenure, ran)
