"""How a console shows things: what `shell` asks of whoever has the terminal."""

from __future__ import annotations

from typing import Protocol


class Face(Protocol):
    """The terminal, or what stands for it."""

    is_interactive: bool
    """Whether somebody sits there, who can be asked."""

    def show(self, text: str, *, ok: bool, is_paged: bool) -> None:
        """Show what came of a line, of several rows maybe, in a pager if need be."""

    def tell(self, sentence: str) -> None:
        """Say something that no line asked for."""

    def guest(self, port: str, rows: list[str]) -> None:
        """Show rows that the guest printed, already fit for a terminal."""

    def events(self, rows: list[str]) -> None:
        """Show what happened, an event in a row."""

    def status(self, text: str | None) -> None:
        """Say how a run gets on, over what was said before; None takes it away."""

    def ask(self, question: str) -> bool:
        """Ask for a yes, as the end of what is typed is one; all else is a no."""
        ...
