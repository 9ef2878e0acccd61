"""Translations of memory that was written from outside, to be dropped in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_engine.cpu.library import Bare


class Stale:
    """Pieces of guest-physical memory whose translations hold no more."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        """Begin with none."""
        self._pieces: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._pieces)

    def add(self, gpa: int, size: int) -> None:
        """Add one; what grows as a stack or a string does stays one piece."""
        if self._pieces:
            first, length = self._pieces[-1]
            if gpa in {first + length, first - size}:
                self._pieces[-1] = min(first, gpa), length + size
                return
        self._pieces.append((gpa, size))

    def drop(self, bare: Bare) -> None:
        """Drop what was translated from them; nothing that pages is loaded."""
        for gpa, size in self._pieces:
            bare.forget(gpa, gpa + size)
        self._pieces.clear()
