"""Who sits before a session, for commands that wait for somebody outside."""

from __future__ import annotations

from typing import Protocol


class Front(Protocol):
    """A console, a screen, or a program that does lines."""

    def tell(self, sentence: str) -> None:
        """Tell the user something at once, while a command is still at work."""
        ...

    def waits(self) -> bool:
        """Tell whether to wait on: asked several times a second, False to end."""
        ...
