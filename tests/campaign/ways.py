"""Random programs, counted by blocks, by instruction, and in single steps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rigs.ways import Ways

from lapis_engine.cpu import blocks

if TYPE_CHECKING:
    from campaign.case import Case

BATCH = 20
"""Programs of a case."""
UNALIGNED = "a write that begins before a block"
KNOWN = {
    UNALIGNED: "an unaligned read-modify-write that begins before a block and ends in "
    "it is done twice (`cpu.restart`)"
}


@cache
def ways() -> Ways:
    """The processors, for all cases of this process."""
    return Ways()


def one(case: Case) -> None:
    """Run a batch."""
    case.done = BATCH
    library = blocks.find()
    if isinstance(library, str):
        case.tally(library, BATCH)
        return
    first = case.rng.randrange(1 << 40)
    case.doing(f"{BATCH} programs from seed {first}")
    for seed in range(first, first + BATCH):
        for found in ways().differences(seed):
            case.find(UNALIGNED if found.is_known else "different", found.text)
