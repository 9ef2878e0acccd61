"""The guests that were opened last: state, beside what the screen keeps.

Embedded ones by name, files by their whole path. Nothing depends on it: a list that
cannot be read or written is as none.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lapis_sessions import guests
from lapis_tui import kept

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE: Final = "guests.json"
MOST: Final = 10
"""Guests that are remembered."""
MOST_BYTES: Final = 64 * 1024


def recent() -> list[str]:
    """Return the guests that were opened, the last one first."""
    try:
        with _path().open("rb") as file:
            found = msgspec.json.decode(file.read(MOST_BYTES), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []
    return found[:MOST]


def remember(guest: str) -> None:
    """Put a guest first, as it was named on the command line."""
    with suppress(OSError, ValueError):
        name = guest if guest in guests.names() else str(Path(guest).resolve())
        _write([name, *(each for each in recent() if each != name)][:MOST])


def _path() -> Path:
    return kept.place().with_name(FILE)


def _write(found: Sequence[str]) -> None:
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(found))
