"""What an explanation is made of: a raw value, its fields, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic.priority import LOWEST_LEGAL

if TYPE_CHECKING:
    from lapis_engine.bits import Bits

Row = tuple[str, "Bits", str]
"""Name, place and meaning of a field; the meaning may be empty."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a raw value."""

    name: str
    bits: str
    """High to low, "10:8", or a single number."""
    value: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A raw value in words and in fields."""

    what: str
    raw: int
    text: str
    fields: tuple[Field, ...]
    """High to low."""
    reserved: int = 0
    """Bits, in place, that are set and belong to no field."""


def explained(what: str, raw: int, text: str, rows: tuple[Row, ...]) -> Explanation:
    """Return the explanation of `raw`; bits that belong to no row are pointed out."""
    fields = tuple(
        Field(name, repr(where).strip("[]"), where.get(raw), meaning)
        for name, where, meaning in rows
    )
    known = 0
    for _, where, _ in rows:
        known |= where
    left = raw & ~known
    tail = f", reserved bits {left:#x} set" if left else ""
    return Explanation(what, raw, text + tail, fields, left)


def set_if(value: int, meaning: str) -> str:
    """Return `meaning` where a bit is set, and nothing where it is clear."""
    return meaning if value else ""


def legality(raw: int, vectored: bool) -> str:  # noqa: FBT001 - whether bits 7:0 count
    """Say of the vector in bits 7:0 that it is illegal, or nothing."""
    return set_if(vectored and raw & 0xFF < LOWEST_LEGAL, "illegal: below 16")
