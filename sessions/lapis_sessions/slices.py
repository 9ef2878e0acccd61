"""How much of a run is done at once, so that a break does not wait.

How a run is sliced changes nothing in what the guest does.
"""

from __future__ import annotations

SLICE_SECONDS = 0.01
"""What a slice should take; a break waits for one at most."""
FIRST_SLICE, SMALLEST_SLICE, LARGEST_SLICE = 500, 100, 2_000_000
"""Instructions: what they cost depends on how many of them exit. Where each one does a
thousand take 30 ms, so the first slice of all is small; the next run begins with what
the one before it has found."""


def fitting(size: int, took: float) -> int:
    """Return how large the next slice is to be, when one of `size` took so long.

    It becomes shorter at once, and longer by and by.
    """
    if took > SLICE_SECONDS:
        return max(int(size * SLICE_SECONDS / took), SMALLEST_SLICE)
    if took < SLICE_SECONDS / 2:
        return min(size * 2, LARGEST_SLICE)
    return size
