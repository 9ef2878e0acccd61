"""How fast work is done: by the time of this process on a processor.

The machine has other things to do, and the time that it takes for them is not ours.
"""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


def rate(work: Callable[[], object], amount: int) -> float:
    """Return how much of `amount` a second `work` does."""
    start = process_time()
    work()
    return amount / max(process_time() - start, 1e-9)


def best(work: Callable[[], object], amount: int) -> float:
    """Return the best rate of `ROUNDS` rounds, a second."""
    return max(rate(work, amount) for _ in range(ROUNDS))
