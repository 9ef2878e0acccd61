"""Random programs, each run whole, cut at random and stepped singly: the same state.

As `guests`, but many thousand: no recording, no plug-ins, and one machine for all
programs of a kind, put back between them. The programs are of random bytes, or of the
pieces of `soup`, in the worlds of `mending`, where an exception does not end them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from campaign import guests, mending, soup
from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from campaign.case import Case

BATCH = 100


def trial(rng: Random) -> tuple[mending.Trial, int]:
    """Make a program, and say how many instructions of it are run."""
    found = mending.trial(rng)
    if rng.random() < 0.5:
        body = soup.soup(rng, found.kind.bits, len(found.body))[: len(found.body)]
        found = found._replace(body=body)
    quantum = rng.choice((1, 3, 7, 97, 1000))
    return found._replace(quantum=quantum), rng.choice((15, 40, 40, 100))


def one(case: Case) -> None:
    """Run some programs in three ways each."""
    case.done = BATCH
    case.doing(f"programs of seed {case.seed}, case {case.number}")
    rng = case.rng
    for index in range(BATCH):
        program, many = trial(rng)
        if index % 10 == 0:
            case.doing(f"program {index}, {many} instructions: {program}")
        cuts: dict[str, Callable[[int], int]] = {
            "whole": lambda left: left,
            "pieces": lambda left: min(left, rng.randrange(1, 30)),
            "steps": lambda _left: 1,
        }
        ways = {name: _ran(program, many, cut) for name, cut in cuts.items()}
        case.tally("instructions of a program", ways["whole"][1])
        for name in ("pieces", "steps"):
            if ways[name] == ways["whole"]:
                case.tally("equal")
            else:
                text = (
                    f"whole and {name}, {index}: {_differ(program, many, cuts[name])}"
                )
                case.find("different", f"{text}; {many} of {program}")


@cache
def _digester(world: mending.World) -> Digester:
    return Digester(world.machine)


def _ran(
    program: mending.Trial, many: int, cut: Callable[[int], int]
) -> tuple[str, int]:
    """Return the digest that it comes to, and how many instructions it was."""
    world = mending.world(program.kind, program.cpus)
    world.start(program)
    ran = guests.drive(world.machine, world.machine.run, many, cut)
    return _digester(world).digest(), ran


def _differ(program: mending.Trial, many: int, cut: Callable[[int], int]) -> str:
    """Say what differs if it is run again; cut at random, it is cut otherwise."""
    world = mending.world(program.kind, program.cpus)
    found: list[guests.Ran] = []
    for each in (lambda left: left, cut):
        world.start(program)
        ran = guests.drive(world.machine, world.machine.run, many, each)
        digester = Digester(world.machine)
        found.append(guests.Ran(digester.digest(), digester.fields(), ran))
    unequal = guests.differences(*found)
    return "; ".join(f"{n}: {a[:80]} and {b[:80]}" for n, a, b in unequal[:8])
