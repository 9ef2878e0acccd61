"""Which of the two an access gets to, where a chipset lays ROM over RAM."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shadow:
    """A stretch of RAM with ROM over it."""

    first: int
    """Guest-physical address."""
    size: int
    """Bytes, whole pages."""
    reads_ram: bool
    writes_ram: bool
    """Else writes are dropped."""
