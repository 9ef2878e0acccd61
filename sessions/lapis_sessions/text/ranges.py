"""Ranges of addresses, ports and MSRs as people write them: FIRST/SIZE, or FIRST."""

from __future__ import annotations

from lapis_sessions.text import numerals


def read(text: str, what: str) -> tuple[int, int]:
    """Return (first, size); raise `CommandError`; `what` names the range.

    >>> read("0xfed00000/0x400", "mmio"), read("0x1b", "msr")
    ((4275044352, 1024), (27, 1))
    """
    first, slash, size = text.partition("/")
    at = numerals.number(first, what)
    return at, numerals.number(size, f"size of {what}") if slash else 1
