"""What `lapis bench` finds out: figures, each beside its ceiling."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside its ceiling."""

    name: str
    value: float
    unit: str
    ceiling: float
    """The same work done by the processor alone, in the same unit."""
    ratio: float
    target: str
    met: bool
