"""Memory that was written by the user: what was there, and what is there now."""

from __future__ import annotations

from dataclasses import dataclass

MOST_SHOWN = 16
"""Bytes that fit in a row with those before them."""


@dataclass(frozen=True, slots=True)
class WrittenView:
    """Bytes in the place of others."""

    address: int
    physical: bool
    before: str
    """In hex; so the next."""
    bytes: str


def text(view: WrittenView) -> str:
    """Return both, one after the other."""
    before, after = (bytes.fromhex(each) for each in (view.before, view.bytes))
    space = "physical " if view.physical else ""
    same = "" if before != after else ", as it was"
    if len(after) > MOST_SHOWN:
        return f"{space}{view.address:#x}: {len(after)} bytes are written{same}"
    return f"{space}{view.address:#x}: {before.hex(' ')} -> {after.hex(' ')}{same}"
