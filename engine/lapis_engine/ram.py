"""Where RAM is: below the addresses of devices, and what is left from 4 GiB on."""

from typing import Final

HOLE: Final = 3 << 30
"""Where the addresses of devices begin, up to 4 GiB."""
HIGH: Final = 4 << 30
"""Where RAM goes on."""


def below(memory: int) -> int:
    """Return how many of `memory` bytes of RAM are below the devices."""
    return min(memory, HOLE)


def above(memory: int) -> int:
    """Return how many of `memory` bytes of RAM are from 4 GiB on."""
    return max(memory - HOLE, 0)
