"""Virtual time in words, as short as a sentence wants it."""

from __future__ import annotations

from typing import Final

UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"))
"""ns in each, the largest first."""


def moment(ns: int) -> str:
    """Return a time with one digit after the point, cut and not rounded.

    Who wants it whole has it beside the sentence.

    >>> moment(28_767), moment(640), moment(2_000_000_000)
    ('28.7 us', '640 ns', '2.0 s')
    """
    for size, unit in UNITS:
        if ns >= size:
            return f"{ns // size}.{ns % size * 10 // size} {unit}"
    return f"{ns} ns"
