"""Guests of random accesses, with and without an exit for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs.plain_guests import ways

from lapis_engine.cpu import blocks

if TYPE_CHECKING:
    from campaign.case import Case

BATCH = 5
"""Guests of a case."""


def one(case: Case) -> None:
    """Run a batch."""
    case.done = BATCH
    library = blocks.find()
    if isinstance(library, str):
        case.tally(library, BATCH)
        return
    first = case.rng.randrange(1 << 40)
    case.doing(f"{BATCH} guests from seed {first}")
    for seed in range(first, first + BATCH):
        found = ways(seed)
        case.tally("accesses without an exit", found.answered)
        if not found.whole == found.cut == found.by_instruction:
            case.find("different", f"guest {seed}")
