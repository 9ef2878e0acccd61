"""Breakpoints and watchpoints of a client, beside those of the session's user.

gdb takes its own out at every stop and puts them in again before it goes on. What it
has asked for is therefore only kept, and the machine gets it when it is to move: each
keeps its number, and one that nobody takes out for good costs nothing at a stop.

A breakpoint is at a linear address, on any vCPU, and there may be any number: `Z0` and
`Z1` are one and the same, and no memory is changed. A watchpoint is of the physical
memory that its address leads to when it is set, through the page tables of the vCPU
that is selected then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import LapisError
from lapis_engine.machine.points import Point
from lapis_engine.machine.watches import MOST, Watch
from lapis_sessions.gdb.refusal import NO_MEMORY, PacketError
from lapis_sessions.timeline.searches import places

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

SOFTWARE: Final = 0
HARDWARE: Final = 1
WATCHES: Final = {2: ("write", "watch"), 3: ("read", "rwatch"), 4: ("access", "awatch")}
"""Types of `Z`: kind of watchpoint, and its word in a stop reply."""
KINDS: Final = {SOFTWARE: "swbreak", HARDWARE: "hwbreak"}


class Mark(NamedTuple):
    """One that a client has asked for."""

    type: int
    """0 to 4, as in `Z`."""
    address: int
    size: int
    """Bytes of a watchpoint; of a breakpoint nothing is made of it."""


@dataclass(slots=True)
class Marks:
    """All that one client has asked for."""

    machine: Machine
    wanted: list[Mark] = field(default_factory=list)
    numbers: dict[Mark, int] = field(default_factory=dict)
    """Every one that ever was, by the number it has among breakpoints."""
    _where: dict[Mark, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Where in physical memory a watchpoint lies."""

    def add(self, mark: Mark, vcpu: int, *, physical: bool) -> None:
        """Ask for one; raise `PacketError` where there is nothing to watch."""
        if mark.type in WATCHES:
            self._where[mark] = self._places(mark, vcpu, physical=physical)
        if mark not in self.wanted:
            self.wanted.append(mark)

    def _places(
        self, mark: Mark, vcpu: int, *, physical: bool
    ) -> tuple[tuple[int, int], ...]:
        if not 1 <= mark.size <= MOST:
            raise PacketError(NO_MEMORY, f"a watch of {mark.size} bytes: 1 to {MOST}")
        at = mark.address
        try:
            found = (
                [(at, mark.size)]
                if physical
                else places(self.machine, vcpu, at, mark.size)
            )
            for gpa, size in found:
                self.machine.read_physical(gpa, size)
        except LapisError as error:
            raise PacketError(NO_MEMORY, str(error)) from None
        return tuple(found)

    def remove(self, mark: Mark) -> None:
        """Ask for one no longer; one that is not there is as good as gone."""
        if mark in self.wanted:
            self.wanted.remove(mark)

    def clear(self) -> None:
        """Ask for none, and take them out: the client leaves."""
        self.wanted.clear()
        self.settle()

    def settle(self) -> None:
        """Have the machine stop where it is asked for, and nowhere else of ours."""
        ours = set(self.numbers.values())
        points, watches = self.machine.points, self.machine.watches
        here = {point.number for point in points.items}
        here |= {watch.number for watch in watches.items}
        for mark in self.wanted:
            if mark not in self.numbers:
                self.numbers[mark] = points.take_number()
        wanted = {self.numbers[mark] for mark in self.wanted}
        if here & ours == wanted:
            return
        breaks = [mark for mark in self.wanted if mark.type in KINDS]
        kept = [point for point in points.items if point.number not in ours]
        points.put([*kept, *(Point(self.numbers[m], m.address) for m in breaks)])
        data = [mark for mark in self.wanted if mark.type in WATCHES]
        left = [watch for watch in watches.items if watch.number not in ours]
        if data or len(left) < len(watches.items):
            watches.put([*left, *map(self._watch, data)])

    def _watch(self, mark: Mark) -> Watch:
        kind = WATCHES[mark.type][0]
        return Watch(self.numbers[mark], kind, mark.address, self._where[mark])

    def of(self, number: int | None) -> Mark | None:
        """Return the one of a number, if it is of this client and asked for now."""
        return next((m for m in self.wanted if self.numbers.get(m) == number), None)

    def at(self, linear: int) -> Mark | None:
        """Return a breakpoint at an address, if there is one."""
        found = (m for m in self.wanted if m.type in KINDS and m.address == linear)
        return next(found, None)
