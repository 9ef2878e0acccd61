"""Which vCPUs stand side by side in a pane, and how wide each is: arithmetic."""

from __future__ import annotations

from typing import Final

COLUMN: Final = 48
"""Cells that a vCPU's registers need."""
BESIDE: Final = 78
"""Cells of a column from which its disassembly stands beside its registers."""
STACKED: Final = 19
"""Rows of a pane from which the disassembly fits below the registers."""


def fitting(width: int, height: int, cpus: int) -> int:
    """Return how many vCPUs a pane shows side by side.

    >>> fitting(120, 20, 4), fitting(120, 16, 4), fitting(40, 10, 4)
    (2, 1, 1)
    """
    beside = height < STACKED and width >= BESIDE
    return max(1, min(cpus, (width + 1) // ((BESIDE if beside else COLUMN) + 1)))


def columns(count: int, selected: int, cpus: int) -> tuple[int, ...]:
    """Return the `count` vCPUs that have a column, `selected` among them.

    The columns turn like pages, so that they stay while `selected` moves within.

    >>> columns(2, 3, 5), columns(2, 4, 5)
    ((2, 3), (3, 4))
    """
    first = min(selected // count * count, cpus - count)
    return tuple(range(first, first + count))


def split(width: int, parts: int) -> tuple[int, ...]:
    """Cut `width` into columns with one cell between them, the first ones wider.

    >>> split(120, 2)
    (60, 59)
    """
    room = width - (parts - 1)
    return tuple(room // parts + (1 if n < room % parts else 0) for n in range(parts))
