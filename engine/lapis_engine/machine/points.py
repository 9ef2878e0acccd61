"""Breakpoints on instructions: whom they stop, under which condition, how often.

They are the debugger's: the guest never notices them, and a snapshot does not hold
them. One whose condition does not hold costs its question and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError
from lapis_engine.machine.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(slots=True)
class Point(Terms):
    """A place in the code where a vCPU stops before the instruction."""

    number: int
    """From 1; 0 is one that is there for a single search."""
    linear: int
    """Its address: linear, or physical."""
    physical: bool = False
    """It is hit by whatever linear address leads there."""


class Points:
    """The breakpoints of one machine."""

    def __init__(
        self,
        arm: Callable[[list[int], list[int]], None],
        where: Callable[[int, int], int | None],
    ) -> None:
        """Have none; `arm` has the processor stop at linear and physical addresses.

        `where` returns where a linear address of a vCPU lies.
        """
        self._arm, self._where = arm, where
        self.items: list[Point] = []
        """By number."""
        self._next = 1

    @property
    def linears(self) -> list[int]:
        """The linear addresses of those that are enabled, ascending."""
        return self._armed(physical=False)

    def _armed(self, *, physical: bool) -> list[int]:
        mine = (point for point in self.items if point.physical == physical)
        return sorted({point.linear for point in mine if point.enabled})

    def add(
        self,
        linear: int,
        vcpu: int | None = None,
        when: Callable[[int], bool] | None = None,
        *,
        once: bool = False,
        skip: int = 0,
        physical: bool = False,
    ) -> Point:
        """Set one; arguments are fields of `Point`."""
        point = Point(
            self.take_number(), linear, physical,
            vcpu=vcpu, when=when, once=once, skip=skip,
        )  # fmt: skip
        self.put([*self.items, point])
        return point

    def take_number(self) -> int:
        """Return the next number; watchpoints have theirs from here as well."""
        self._next += 1
        return self._next - 1

    def named(self, number: int) -> Point:
        """Return one by its number; raise `EngineError` when there is none."""
        for point in self.items:
            if point.number == number:
                return point
        known = ", ".join(str(point.number) for point in self.items) or "none"
        raise EngineError(f"there is no breakpoint {number}; there are: {known}")

    def remove(self, number: int) -> None:
        """Take one away; raise `EngineError` when there is none of that number."""
        gone = self.named(number)
        self.put([point for point in self.items if point is not gone])

    def enable(self, number: int, *, on: bool) -> None:
        """Let one stop, or not; raise `EngineError` when there is none."""
        self.named(number).enabled = on
        self.put(self.items)

    def put(self, items: Iterable[Point]) -> None:
        """Make these the breakpoints."""
        self.items = list(items)
        self._arm(self.linears, self._armed(physical=True))

    def asked(self) -> list[Point]:
        """Return copies that ask the same and count for nobody, for a search."""
        return [
            replace(point, number=0, once=False, skip=0)
            for point in self.items
            if point.enabled
        ]

    def judged(self, vcpu: int, linear: int) -> Point | None:
        """Return the one that stops this vCPU here, counted; or None: it goes on."""
        for point in self.items:
            if not point.enabled:
                continue
            at = self._where(vcpu, linear) if point.physical else linear
            if point.linear != at:
                continue
            if point.vcpu not in {None, vcpu}:
                point.others += 1
                continue
            if not point.meets(vcpu):
                continue
            if point.once:
                self.put([each for each in self.items if each is not point])
            return point
        return None
