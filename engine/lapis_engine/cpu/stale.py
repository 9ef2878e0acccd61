"""Translations of memory that was written from outside, to be dropped in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_engine.cpu.library import Bare


class Stale:
    """Pieces of guest-physical memory whose translations hold no more."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        """Begin with none."""
        self.pieces: list[tuple[int, int]] = []
        """(First address, bytes) of each."""

    def add(self, gpa: int, size: int) -> None:
        """Add one; what grows as a stack or a string does stays one piece."""
        if self.pieces:
            first, length = self.pieces[-1]
            if gpa in {first + length, first - size}:
                self.pieces[-1] = min(first, gpa), length + size
                return
        self.pieces.append((gpa, size))

    def drop(self, bare: Bare) -> None:
        """Drop what was translated from them; nothing that pages is loaded."""
        for gpa, size in self.pieces:
            bare.forget(gpa, gpa + size)
        self.pieces.clear()
