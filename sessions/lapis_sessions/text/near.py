"""The name that somebody meant."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like one; of two the one that begins as it does.

    >>> nearest("stpe", ["type", "step", "run"])
    'step'
    """

    def likeness(other: str) -> tuple[float, bool]:
        ratio = SequenceMatcher(None, other, name).ratio()
        return ratio, other[:1] == name[:1]

    return max(get_close_matches(name, names, 5), key=likeness, default=None)
