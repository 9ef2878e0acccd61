"""The platforms that a machine can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_sessions.extensions import Platform


@dataclass(frozen=True, slots=True)
class PlatformView:
    """A platform."""

    name: str
    text: str
    """What it is, in half a sentence."""


def machines(known: Mapping[str, Platform]) -> list[PlatformView]:
    """Return every platform that a user may choose."""
    return [
        PlatformView(each.name, each.text) for each in known.values() if each.offered
    ]


def text(rows: Sequence[PlatformView]) -> str:
    """Return the platforms, one line per platform."""
    return "\n".join(f"{row.name:<12} {row.text}" for row in rows)
