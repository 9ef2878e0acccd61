"""Integers whose bits have names, and things that are a number and have parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Decoded(int):
    """An integer that knows what it is, and its parts by name.

    What is computed from it is an integer like any other.
    """

    what: str
    """The register it is of, as `explain` calls it; nothing where it has no words."""
    parts: Mapping[str, Any]

    def __new__(cls, value: int, what: str, parts: Mapping[str, Any]) -> Self:
        """Make `value` a `what` with `parts`."""
        self = super().__new__(cls, value)
        self.what = what
        self.parts = parts
        return self
