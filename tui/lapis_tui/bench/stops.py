"""What breakpoints, watchpoints and conditions cost, beside the same loop without any.

All of it runs in one process: a loop that loads and stores, in 64-bit code. What stands
elsewhere is met by nobody; a condition is asked in each round, and a hit stops there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.machine.watches import Watch
from lapis_sessions.extensions import Extensions
from lapis_sessions.registry import Registry
from lapis_sessions.session import Session
from lapis_tui.bench import guests, rom
from lapis_tui.bench.figure import compared
from lapis_tui.bench.loops import LEAD
from lapis_tui.bench.timing import best

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.machine import Machine
    from lapis_tui.bench.figure import Figure

ROUNDS = 1_000_000
"""Of the loop, in a round of measuring, where nothing is met in it."""
WATCHED = 200_000
"""The same while memory is watched."""
ASKED = 5_000
"""The same where each asks, or stops."""
LOOP: Final = rom.ON_DATA
ELSEWHERE: Final = 0x5010
"""An address that nobody comes to, at a place in its page where no code of the loop
is."""
PORT: Final = 0x3F8
PLAIN: Final = "the same loop with nothing set"
NEVER: Final = "rcx == 0 and rax == 5"
"""A condition that does not hold, of one comparison."""
NOTHING: Final = Extensions(lambda _: (), Registry([]))


def _inside() -> Session:
    """Return a session whose machine goes round and round in the loop."""
    machine = guests.from_reset(rom.image(LOOP, rom.MOST_ROUNDS))
    guests.run(machine, LEAD)
    return Session(machine, "", NOTHING)


def _rounds(machine: Machine, count: int) -> float:
    instructions = count * LOOP.instructions
    return best(lambda: guests.run(machine, instructions), count)


def _hits(machine: Machine, count: int) -> float:
    def work() -> None:
        for _ in range(count):
            stop = machine.run(10 * LOOP.instructions)
            assert stop.point is not None, stop

    return best(work, count)


def _breakpoint(session: Session) -> None:
    session.machine.points.add(ELSEWHERE)


def _physical(session: Session) -> None:
    session.machine.points.add(ELSEWHERE, physical=True)


def _watch(session: Session) -> None:
    _watching(session, "memory", ELSEWHERE)


def _port(session: Session) -> None:
    _watching(session, "port", PORT)


def _asked_at(session: Session) -> None:
    """Set a breakpoint in the loop whose condition does not hold."""
    machine = session.machine
    at = machine.vcpu(0).regs.linear_rip
    machine.points.add(at, when=session.stops.condition(NEVER))


def _asked_of(session: Session) -> None:
    """Watch what the loop stores, under a condition that does not hold."""
    when = session.stops.condition(NEVER)
    _watching(session, "memory", rom.DATA_PAGE, when)


def _hit_at(session: Session) -> None:
    session.machine.break_at(session.machine.vcpu(0).regs.linear_rip)


def _hit_of(session: Session) -> None:
    _watching(session, "memory", rom.DATA_PAGE)


def _watching(
    session: Session, space: str, at: int, when: Callable[[int], bool] | None = None
) -> None:
    machine = session.machine
    number = machine.points.take_number()
    watch = Watch(number, "write", at, ((at, 4),), space, when=when)
    machine.watches.put([watch])


ROWS: Final = (
    ("breakpoint elsewhere", "rounds/s", _breakpoint, _rounds),
    ("physical one elsewhere", "rounds/s", _physical, _rounds),
    ("port watch elsewhere", "rounds/s", _port, _rounds),
    ("memory watch elsewhere", "rounds/s", _watch, _rounds),
    ("condition of a breakpoint", "questions/s", _asked_at, _rounds),
    ("condition of a watch", "questions/s", _asked_of, _rounds),
    ("hit of a breakpoint", "hits/s", _hit_at, _hits),
    ("hit of a watch", "hits/s", _hit_of, _hits),
)


def figures() -> list[Figure]:
    """Return what each costs."""
    plain = _rounds(_inside().machine, ROUNDS)
    found = []
    for name, unit, arrange, measure in ROWS:
        session = _inside()
        arrange(session)
        count = ROUNDS if unit == "rounds/s" else ASKED
        if arrange is _watch:
            count = WATCHED
        ours = measure(session.machine, count)
        found.append(compared(name, unit, ours, plain, PLAIN))
        session.machine.close()
    return found
