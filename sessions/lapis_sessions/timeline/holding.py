"""Finding where something came to hold, first or last, to the instruction.

It is looked at after each round of the vm and after each event, `LOOKS` times at least,
and what came to hold between two looks is found by single instructions. What holds for
some instructions between two looks, and no longer at the second, is passed by.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.replay import capture
from lapis_engine.replay.capture import Position
from lapis_sessions.timeline import searches
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lapis_sessions.timeline.searches import Found, Instrument
    from lapis_sessions.timeline.timeline import Timeline

    Holds = Callable[[], bool]

MOST_SINGLE: Final = 4000
"""Instructions between two looks that are gone through one by one; where there are more
they are halved before, which finds one place where it came to hold, not the first."""


LOOKS: Final = 10_000
"""Of a history that has fewer instructions each is looked at."""


class _HoldsNow(Exception):  # noqa: N818 - it leaves a run, and nothing is wrong
    """It holds now."""


class _Gap(NamedTuple):
    """Two looks, between which it came to hold."""

    lower: int
    """Instructions that had retired at the first."""
    upper: Spot
    """The second."""


def last(timeline: Timeline, holds: Holds) -> bool:
    """Go to where it came to hold last before this point; say if there is such one.

    Else the machine stays where it is. Raises `DivergedError`.
    """
    here = timeline.spot
    with timeline.or_back():
        while True:
            gaps: dict[int, _Gap] = {}
            if not _back(timeline, holds, gaps):
                timeline.go(here)
                return False
            begun = timeline.spot
            gap = gaps[max(lower for lower in gaps if lower <= begun.at.retired)]
            if _refined(timeline, holds, gap, here, is_first=False):
                return True
            timeline.go(begun)


def first(timeline: Timeline, holds: Holds) -> bool:
    """Go to where it came to hold first on this branch, as `last` does."""
    here, branch = timeline.spot, timeline.branch
    with timeline.or_back():
        timeline.go(branch.kept[0].spot)
        if holds():
            return True
        gaps: dict[int, _Gap] = {}
        attention = timeline.machine.vm.attention

        def found(_at: Position) -> None:
            attention.ask_stop()

        def hit(_at: Position) -> None:
            if gaps:
                raise _HoldsNow

        looking = _coming(timeline, holds, gaps)
        often = _often(timeline, branch.end)
        with timeline.travelling(), often, looking(found), suppress(_HoldsNow):
            timeline.forward(branch.end, hit)
        if not gaps:
            timeline.go(here)
            return False
        gap = min(gaps.values())
        return _refined(timeline, holds, gap, branch.end, is_first=True)


def _back(timeline: Timeline, holds: Holds, gaps: dict[int, _Gap]) -> bool:
    with _often(timeline, timeline.spot):
        return searches.back_to_last(timeline, _coming(timeline, holds, gaps))


def _often(timeline: Timeline, end: Spot) -> AbstractContextManager[None]:
    """Have `LOOKS` looks at least from the beginning to `end`."""
    length = end.at.retired - timeline.branch.kept[0].spot.at.retired
    return timeline.looking(max(length // LOOKS, 1))


def _coming(timeline: Timeline, holds: Holds, gaps: dict[int, _Gap]) -> Instrument:
    """Find the first instruction after a look, at the next of which it came to hold.

    Where there is none between them it finds the second look. `gaps` get both.
    """
    machine = timeline.machine

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        vcpus = machine.vcpus
        held, before = holds(), sum([vcpu.retired for vcpu in vcpus])

        def look() -> None:
            nonlocal held, before
            now, retired = holds(), sum([vcpu.retired for vcpu in vcpus])
            if now and not held:
                at = capture.position(machine)
                gaps[before] = _Gap(before, Spot(timeline.spot.done, at))
                is_near = retired <= before + 1
                found(at if is_near else Position(before + 1, 0, 0))
            held, before = now, retired

        machine.vm.on_round = look
        observe = machine.log.observers
        observe.append(_looking := lambda _logged: look())
        try:
            yield
        finally:
            observe.remove(_looking)
            machine.vm.on_round = None

    return instrument


def _refined(
    timeline: Timeline, holds: Holds, gap: _Gap, end: Spot, *, is_first: bool
) -> bool:
    """Go to where it came to hold within a gap, before `end`; say if it did."""
    branch = timeline.branch
    lower, upper = gap.lower, gap.upper.at.retired
    with timeline.going(2 * (upper - lower)):
        while upper - lower > MOST_SINGLE:
            middle = (lower + upper) // 2
            timeline.go(branch.spot_of(middle))
            lower, upper = (lower, middle) if holds() else (middle, upper)
        found: Spot | None = None
        held = True  # the first one only tells what was before
        # A look at an event is in the midst of an instruction, which may count already.
        singles = range(max(lower - 2, branch.kept[0].spot.at.retired), upper + 1)
        for spot in (*map(branch.spot_of, singles), gap.upper):
            if spot >= end and not is_first:
                break
            timeline.go(spot)
            now = holds()
            if now and not held:
                found = timeline.spot
                if is_first:
                    return True
            held = now
        if found is not None:
            timeline.go(found)
    return found is not None
