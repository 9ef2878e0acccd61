"""Jump mode: the next key goes to the pane that has its letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.events import Key


class JumpScreen(ModalScreen[str | None]):
    """Waits for a key; what lies below stays in view."""

    DEFAULT_CSS = "JumpScreen { background: transparent; }"

    def __init__(self, letters: Mapping[str, str]) -> None:
        """Go by `letters`, from a letter to the name of a pane."""
        super().__init__()
        self._letters = letters

    def on_key(self, event: Key) -> None:
        """Go where the key says; one that says nothing leaves all as it was."""
        event.stop()
        self.dismiss(self._letters.get(event.key))
