"""Who looks on while a guest prints, as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, eq=False)
class Printing:
    """Who looks on while a guest prints."""

    see: Callable[[str, bytearray, int], None]
    """Told a port, all that it has printed, and how many bytes of that are new."""
    last: int | None = None
    """The one byte at which he may ask for a stop; None is any."""
