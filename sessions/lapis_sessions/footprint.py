"""How much memory this process takes, and whether that is more than it may.

It is looked at between two slices of a run and nowhere else: what a guest does never
depends on it, only where one stops to run it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lapis_engine.units import MIB

LOOK = 1_000_000
"""Instructions between two looks, at most."""


def resident() -> int:
    """Return the bytes that the process takes; where only the most is told, that."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _most()


def _most() -> int:
    try:
        import resource  # noqa: PLC0415 - not there on every system
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def excess(limit: int) -> str | None:
    """Say by how much the process is over `limit` bytes, or None."""
    now = resident()
    if now <= limit:
        return None
    return (
        f"the process takes {-(-now // MIB)} MiB of memory, and its limit is "
        f"{limit / MIB:g} MiB (--memory-limit)"
    )
