"""What a plain register reads as: one of which a read changes nothing.

It is fixed until somebody does something to whatever it belongs to, or linear in time.
Said as data it can be answered where the instruction runs (`cpu.answers`), and nobody
has to be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.units import MASK32, MASK64


@dataclass(frozen=True, slots=True)
class Plain:
    """What a register reads as, by time, if nothing happens to it.

    That is `base`, and of floor((now - origin) * numerator / denominator) the bits of
    `mask`, shifted left by `shift`; of less that if it `falls`. Times are ns.
    """

    base: int
    origin: int = 0
    numerator: int = 0
    """0: it does not move."""
    denominator: int = 1
    falls: bool = False
    mask: int = MASK64
    shift: int = 0
    until: int | None = None
    """From this time on it is something else."""

    def at(self, now: int) -> int:
        """Return the value at `now` ns."""
        ticks = (now - self.origin) * self.numerator // self.denominator
        moved = (-ticks if self.falls else ticks) & self.mask
        return self.base + (moved << self.shift)


@dataclass(frozen=True, slots=True)
class PlainWrite:
    """Which writes of a register change nothing but what it reads as.

    Whoever it belongs to is told of them later, in order.
    """

    least: int
    """The smallest value that is written so."""
    most: int
    """The largest."""
    kept: int
    """The bits that it reads as afterwards."""
    times: int = MASK32
    """How many are; the next one is not."""
    but: int | None = None
    """A value between the two that is not."""
