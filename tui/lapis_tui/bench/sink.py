"""A terminal that takes everything and shows nothing, for the bench of the screen.

The application does before it all that it does before a real one, down to the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.drivers.headless_driver import HeadlessDriver

if TYPE_CHECKING:
    from collections.abc import Callable


class Sink(HeadlessDriver):
    """Counts what is written, and hands it to whoever wants to see it."""

    written = 0
    """Characters so far."""
    heard: Callable[[str], object] | None = None
    """Called with all that is written."""

    @property
    def is_headless(self) -> bool:
        """Be taken for a terminal, for which bytes are made."""
        return False

    def write(self, data: str) -> None:
        """Take what a terminal would show."""
        self.written += len(data)
        if self.heard is not None:
            self.heard(data)
