"""Lines that were entered, from one day to the next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from prompt_toolkit.history import FileHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MOST: Final = 4 * 1024 * 1024
"""Bytes of a file that is read; of a larger one its end."""


class KeptHistory(FileHistory):
    """A history in a file of the user's; one that cannot be used is told once."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Keep lines in `path`."""
        super().__init__(str(path))
        self._path, self._tell = path, tell
        self._is_lost = False

    def load_history_strings(self) -> Iterable[str]:
        """Return the lines, newest first; none of a file that cannot be read."""
        try:
            if not self._path.exists():
                return []
            with self._path.open("rb") as file:
                file.seek(max(self._path.stat().st_size - MOST, 0))
                rows = file.read(MOST).decode("utf-8", "replace").split("\n")
        except OSError as error:
            self._lose("read", error)
            return []
        return [row[1:] for row in reversed(rows) if row.startswith("+")]

    def store_string(self, string: str) -> None:
        """Keep a line; it is for the user's eyes alone."""
        if self._is_lost:
            return
        line = string.replace("\n", " ")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            number = os.open(self._path, flags, 0o600)
            with os.fdopen(number, "a", encoding="utf-8", errors="replace") as file:
                file.write(f"+{line}\n")
        except OSError as error:
            self._lose("written", error)

    def _lose(self, what: str, error: OSError) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._tell(
                f"the history {str(self._path)!r} cannot be {what} ({error.strerror}): "
                "lines are kept until the console ends"
            )
