"""Traps: addresses, ports and MSRs whose accesses go to the user, whoever serves them.

What the engine models stays as it is and is not asked: the user answers in its place.
`bus` and `handlers` look here first; without traps that costs them one test. They are
set by `address_map`, which knows what else is at an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS: Final = {"mmio": 1 << 48, "port": 1 << 16, "msr": 1 << 32}
"""Spaces, and how many addresses each has; 48 bits are what a page table can name."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A range whose accesses go to the user."""

    number: int
    space: str
    """mmio, port or msr."""
    first: int
    size: int

    @property
    def text(self) -> str:
        """The trap in words."""
        size = f"/{self.size:#x}" if self.size > 1 else ""
        return f"trap {self.number}: {self.space} {self.first:#x}{size}"


@dataclass(slots=True)
class TrapState:
    """All traps, by space, each in the order in which they were set."""

    mmio: list[Trap] = field(default_factory=list)
    port: list[Trap] = field(default_factory=list)
    msr: list[Trap] = field(default_factory=list)
    next_number: int = 1
    """Numbers of traps are not used again."""


def of(state: TrapState, space: str) -> list[Trap]:
    """Return the traps of a space; raise `EngineError` when there is no such space."""
    if space not in LIMITS:
        raise EngineError(f"there is no space {space!r}: {', '.join(LIMITS)}")
    found: list[Trap] = getattr(state, space)
    return found


def listed(state: TrapState) -> list[Trap]:
    """Return all traps by number."""
    every = [*state.mmio, *state.port, *state.msr]
    return sorted(every, key=lambda trap: trap.number)


def hits(traps: Sequence[Trap], address: int, size: int) -> bool:
    """Tell whether an access touches one of them."""
    return any(
        trap.first < address + size and address < trap.first + trap.size
        for trap in traps
    )


def clear(state: TrapState, number: int | None = None) -> None:
    """Take one trap away, or all; what is pending from it still is.

    Raises `EngineError` when there is no such trap.
    """
    every = listed(state)
    if number is not None and all(trap.number != number for trap in every):
        known = ", ".join(str(trap.number) for trap in every) or "none"
        raise EngineError(f"there is no trap {number}; there are: {known}")
    for traps in (state.mmio, state.port, state.msr):
        traps[:] = [t for t in traps if number is not None and t.number != number]
