"""Finding the point that a reverse command asks for.

Each search does the past again, from the last checkpoint to where the machine is, and
notes what it meets; and so on backwards from checkpoint to checkpoint until it met
something. Then the machine goes to the last of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lapis_engine.errors import UnmappedError
from lapis_engine.events import ExtIntDelivered, NmiDelivered, VectorDelivered
from lapis_engine.machine.catches import CONSOLE, last, matches, prints
from lapis_engine.replay import capture
from lapis_engine.replay.capture import Position
from lapis_engine.units import PAGE
from lapis_engine.vmm.printing import Printing
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from lapis_engine.events import Logged
    from lapis_engine.machine.catches import Catch
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_engine.replay.capture import Checkpoint
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_sessions.timeline.branches import Branch, Kept
    from lapis_sessions.timeline.timeline import Timeline

    Found = Callable[[Position], None]
    Instrument = Callable[[Found], AbstractContextManager[None]]
    Within = Callable[[Checkpoint], bool]

BEFORE_AN_INSTRUCTION = VectorDelivered, NmiDelivered, ExtIntDelivered


def back_to_last(
    timeline: Timeline, instrument: Instrument, within: Within | None = None
) -> bool:
    """Go to the last point before this one that `instrument` finds; say if it did.

    `within` may tell that the point lies after a checkpoint, so that nothing before it
    and nothing after the next one is looked at. Where there is none the machine stays
    where it is.
    """
    with timeline.or_back():
        return _back_to_last(timeline, instrument, within)


def _back_to_last(
    timeline: Timeline, instrument: Instrument, within: Within | None
) -> bool:
    here = upper = timeline.spot
    branch = timeline.branch
    beginning = branch.kept[0].spot
    if within is not None:
        upper = _end_of(timeline, within, here)
    whole = upper.at.retired - beginning.at.retired + _from_checkpoint(branch, here)
    with timeline.going(whole) as course:
        while True:
            # To do again what takes a moment is faster than to put many checkpoints
            # back.
            lower = branch.strictly_before(upper, timeline.slice)
            found = _between(timeline, lower, upper, instrument)
            earlier = {each for each in found if _is_before(branch, each, here)}
            for spot in sorted(earlier, reverse=True):
                course.expect(_from_checkpoint(branch, spot))
                timeline.go(spot)
                if timeline.spot < here:  # and not in the instruction that ends here
                    return True
            if lower is None or lower.spot == beginning:
                course.expect(_from_checkpoint(branch, here))
                timeline.go(here)
                return False
            upper = lower.spot


def _is_before(branch: Branch, spot: Spot, here: Spot) -> bool:
    """Tell whether a spot is another point than `here`, and before it.

    The end of a run is the point behind it. Who comes there from before is behind it;
    who is put back there by a checkpoint that was kept at the end would not be.
    """
    is_end = spot.at == here.at and spot.done + 1 == here.done
    return spot < here and not (is_end and branch.entries[spot.done].moves)


def _from_checkpoint(branch: Branch, spot: Spot) -> int:
    """Return the instructions to a spot from the last checkpoint before it."""
    return spot.at.retired - branch.before(spot).spot.at.retired


def _end_of(timeline: Timeline, within: Within, here: Spot) -> Spot:
    """Return the first checkpoint that lies after the point, or `here`."""
    for kept in timeline.branch.kept:
        if kept.spot >= here:
            break
        if not within(kept.checkpoint):
            return kept.spot
    return here


def _between(
    timeline: Timeline, lower: Kept | None, upper: Spot, instrument: Instrument
) -> list[Spot]:
    """Return what there is from a checkpoint, if there is one, up to `upper`."""
    if lower is None:
        return []
    found: list[Spot] = []

    def note(at: Position) -> None:
        done = timeline.spot.done
        entry = timeline.branch.entries[done]
        # What takes no time has nothing within it: one can stand only after it.
        found.append(Spot(done, at) if entry.moves else Spot(done + 1, entry.end))

    with timeline.travelling():
        timeline.put(lower)
        with instrument(note):
            timeline.forward(upper, note)
    return found


# Instruments.


def breakpoints(timeline: Timeline, points: Sequence[Point]) -> Instrument:
    """Find where a vCPU stood at one of these, and its condition held."""

    @contextmanager
    def instrument(_found: Found) -> Iterator[None]:
        timeline.machine.points.put(points)
        try:
            yield
        finally:
            timeline.machine.points.put(())

    return instrument


def watched(timeline: Timeline, watches: Sequence[Watch]) -> Instrument:
    """Find where memory had just been touched that one of these is about."""
    mine = timeline.machine.watches

    @contextmanager
    def instrument(_found: Found) -> Iterator[None]:
        before = mine.items
        mine.put(watches)
        try:
            yield
        finally:
            mine.rest()
            mine.items = before

    return instrument


def events(timeline: Timeline, wanted: Callable[[Logged], bool]) -> Instrument:
    """Find where an event had just happened."""
    machine, before = timeline.machine, timeline.spot.at.seq

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        def observe(logged: Logged) -> None:
            if logged.seq < before and wanted(logged):
                retired = capture.position(machine).retired
                found(Position(retired, logged.seq + 1, logged.at))

        machine.log.observers.append(observe)
        try:
            yield
        finally:
            machine.log.observers.remove(observe)

    return instrument


def catches(timeline: Timeline, wanted: Sequence[Catch]) -> Instrument:
    """Find where something had just happened that one of these waits for."""

    def is_wanted(logged: Logged) -> bool:
        return any(matches(catch, logged.event) for catch in wanted)

    def is_printed(port: str, printed: bytearray, new: int) -> bool:
        return any(prints(catch, port, printed, new) for catch in wanted)

    found = events(timeline, is_wanted)
    ends = {last(catch) for catch in wanted if catch.event == CONSOLE}
    if not ends:
        return found
    end = ends.pop() if len(ends) == 1 else None
    return either(found, printing(timeline, is_printed, end))


def printing(
    timeline: Timeline, wanted: Callable[[str, bytearray, int], bool], end: int | None
) -> Instrument:
    """Find where a guest had just printed something.

    The machine stops there, as it does live: no event says where that is. `end` is
    the byte with which it ends; None is any.
    """
    vm = timeline.machine.vm

    @contextmanager
    def instrument(_found: Found) -> Iterator[None]:
        def see(port: str, printed: bytearray, new: int) -> None:
            if wanted(port, printed, new):
                vm.attention.ask_stop()

        mine = Printing(see, end)
        vm.printing.append(mine)
        try:
            yield
        finally:
            vm.printing.remove(mine)

    return instrument


def either(one: Instrument, other: Instrument) -> Instrument:
    """Find what either of two instruments finds."""

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        with one(found), other(found):
            yield

    return instrument


def writes(timeline: Timeline, number: int, linear: int, size: int) -> Instrument:
    """Find where memory was about to be written, by an instruction or by the engine.

    The address is what vCPU `number` takes it for now, and any vCPU's write to that
    physical place counts, whatever it calls it. Raises `UnmappedError` where it has
    none.
    """
    machine = timeline.machine
    found_at = places(machine, number, linear, size)

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        def written(begun: int, _access: object) -> bool:
            """Take a write by the instruction that is number `begun` of this run."""
            retired = capture.position(machine).retired
            found(Position(retired + begun - 1, 0, 0))
            return False

        memory = machine.vm.memory
        forget = memory.on_write

        def stored(at: int, length: int) -> None:
            if forget is not None:
                forget(at, length)
            if any(at < gpa + n and gpa < at + length for gpa, n in found_at):
                here = capture.position(machine)
                found(Position(here.retired, 0, 0))

        memory.on_write = stored
        machine.vm.core.watch(found_at, (), written)
        try:
            yield
        finally:
            machine.vm.core.watch((), (), written)
            memory.on_write = forget

    return instrument


def places(
    machine: Machine, number: int, linear: int, size: int
) -> list[tuple[int, int]]:
    """Return (guest-physical address, bytes) of each page that the bytes lie in."""
    found, view = [], machine.vcpu(number).linear
    while size:
        gpa, length = view.peek(linear), min(size, PAGE - linear % PAGE)
        if gpa is None:
            raise UnmappedError(linear, size, "not mapped by its page tables")
        found.append((gpa, length))
        linear, size = linear + length, size - length
    return found


def instruction(timeline: Timeline, vcpu: Vcpu, count: int = 1) -> Instrument:
    """Find the last instruction but `count` - 1 of a vCPU, as it was about to run."""
    machine, wanted = timeline.machine, vcpu.retired - count

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        seq = 0

        def observe(logged: Logged) -> None:
            nonlocal seq
            if vcpu.retired == wanted and logged.event.vcpu == vcpu.id:
                is_before = isinstance(logged.event, BEFORE_AN_INSTRUCTION)
                seq = logged.seq + 1 if is_before else seq

        def turn(ran_by: Vcpu, ran: int) -> None:
            before = vcpu.retired - ran
            if ran_by is vcpu and before <= wanted < vcpu.retired:
                end = capture.position(machine).retired
                found(Position(end - ran + wanted - before, seq, 0))

        machine.log.observers.append(observe)
        machine.on_turn = turn
        try:
            yield
        finally:
            machine.on_turn = None
            machine.log.observers.remove(observe)

    return instrument


def changes(timeline: Timeline, value: Callable[[], object]) -> Instrument:
    """Find where `value` had just changed.

    It is looked at after each round of the vm, and after each event: what a delivery
    sets and the EOI of the same round clears would not be seen otherwise.
    """
    machine = timeline.machine

    @contextmanager
    def instrument(found: Found) -> Iterator[None]:
        last = value()

        def look() -> None:
            nonlocal last
            now = value()
            if now != last:
                last = now
                found(capture.position(machine))

        def observe(_logged: Logged) -> None:
            look()

        machine.vm.on_round = look
        machine.log.observers.append(observe)
        try:
            yield
        finally:
            machine.log.observers.remove(observe)
            machine.vm.on_round = None

    return instrument
