"""What the POST code port remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PostCodeState:
    """Reset values are the defaults."""

    code: int = 0
    """Last code written, 8 bits."""
