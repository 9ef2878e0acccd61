"""What is kept of the screen from one day to the next: layout, dividers and theme.

A file in the place where the platform keeps state. Nothing depends on it: one that
cannot be read or written is as none, and nobody is stopped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
import platformdirs

from lapis_tui.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE: Final = "screen.json"
VERSION: Final = 1
MOST: Final = 64 * 1024
"""Bytes of such a file."""


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: int = VERSION
    layout: str = LAYOUTS[0].name
    shares: dict[str, dict[str, list[float]]] = {}
    """By variant of a layout and place in its tree."""
    theme: str | None = None
    """The theme that was chosen, whether there still is one of that name or not."""


class Kept:
    """The state of the screen, written when the program ends."""

    def __init__(self, path: Path | None = None) -> None:
        """Read it from `path`; without one nothing is read or written."""
        self._path = path
        self._stored = _read(path) if path is not None else Stored()
        self.changes = 0
        """How often something was changed."""
        self._is_new = path is not None and not path.exists()

    @property
    def folder(self) -> Path | None:
        """Where its file is, and others may be; None where nothing is written."""
        return self._path.parent if self._path is not None else None

    def greet(self) -> bool:
        """Tell whether nothing was ever kept here; it is no more so after that."""
        is_new, self._is_new = self._is_new, False
        self.changes += is_new
        return is_new

    @property
    def layout(self) -> str:
        """The layout that was shown last."""
        return self._stored.layout

    def choose(self, layout: str) -> None:
        """Keep that `layout` is shown."""
        self._stored.layout = layout
        self.changes += 1

    @property
    def theme(self) -> str | None:
        """The theme that was chosen last, if one ever was."""
        return self._stored.theme

    def wear(self, theme: str) -> None:
        """Keep that `theme` is wanted."""
        self._stored.theme = theme
        self.changes += 1

    def shares_of(self, variant: str) -> Mapping[str, list[float]]:
        """Return the fractions that the user gave, by place in the tree."""
        given = self._stored.shares.get(variant, {})
        return {place: shares for place, shares in given.items() if _are(shares)}

    def share(self, variant: str, place: str, shares: tuple[float, ...]) -> None:
        """Keep fractions of a split."""
        self._stored.shares.setdefault(variant, {})[place] = list(shares)
        self.changes += 1

    def forget(self, variant: str) -> None:
        """Let a layout be as it was drawn."""
        self._stored.shares.pop(variant, None)
        self.changes += 1

    def save(self) -> None:
        """Write it, if anything was changed."""
        if self._path is None or not self.changes:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(msgspec.json.encode(self._stored))


def place() -> Path:
    """Return where the file is on this system."""
    return platformdirs.user_state_path("lapis") / FILE


def _are(shares: list[float]) -> bool:
    """Tell whether a file has fractions there, and nothing odd."""
    return all(0 <= share <= 1 for share in shares) and sum(shares) > 0


def _read(path: Path) -> Stored:
    try:
        with path.open("rb") as file:
            stored = msgspec.json.decode(file.read(MOST), type=Stored)
    except (OSError, msgspec.MsgspecError):
        return Stored()
    return stored if stored.version == VERSION else Stored()
