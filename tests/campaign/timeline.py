"""Sessions driven back and forth at random, each held against one that only goes on.

What that proves is said in `rigs.walks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs import walks

if TYPE_CHECKING:
    from campaign.case import Case

STEPS = 150


def one(case: Case) -> None:
    """Walk once."""
    rng = case.rng
    walk = walks.Walk(walks.options(rng), rng.getrandbits(32), case.folder)
    case.done = 0
    try:
        for _ in range(STEPS):
            case.done += 1
            walks.step(walk, rng)
            if not case.done % 25:
                case.doing(f"{case.done} steps")
    except walks.WrongError as wrong:
        case.find("wrong", f"{wrong}")
    except Exception as error:
        raise RuntimeError("\n".join(walk.lines)) from error
    walk.session.close()
    case.tally("branches", len(walk.session.timeline.branches))
    case.tally("machines that only went forward", walk.shadows.made)
    case.tally("files", walk.files)
