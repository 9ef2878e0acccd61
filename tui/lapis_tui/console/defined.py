"""Commands that users make of others: `define NAME`, lines, `end`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: Final = re.compile(r"[A-Za-z_][\w-]{0,63}", re.ASCII)
MOST_LINES: Final = 256
_GIVEN: Final = re.compile(r"\$arg(\d|c|s)(?!\w)")


class Definitions:
    """The commands that were made, and the one that is being made."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        """Take no name that `is_known` as one of ours."""
        self._is_known = is_known
        self.made: dict[str, tuple[str, ...]] = {}
        self._name = ""
        self._lines: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether the next line belongs to a command that is being made."""
        return bool(self._name)

    def begin(self, name: str) -> None:
        """Make a command of the lines up to `end`; raise `CommandError`."""
        if not NAME.fullmatch(name):
            raise CommandError(
                f"define: {name[:40]!r} is no name: letters, digits, _ and -"
            )
        if self._is_known(name):
            raise CommandError(f"define: {name} is a command already")
        self._name, self._lines = name, []

    def take(self, line: str) -> bool:
        """Take a line of the command that is being made, if there is one."""
        if not self._name:
            return False
        if line == "end":
            self.made[self._name] = tuple(self._lines)
            self._name = ""
        elif len(self._lines) >= MOST_LINES:
            name, self._name = self._name, ""
            raise CommandError(f"define {name}: more than {MOST_LINES} lines")
        else:
            self._lines.append(line)
        return True

    def drop(self) -> None:
        """Make no command after all."""
        self._name = ""

    def call(self, line: str) -> list[str] | None:
        """Return the lines that `line` stands for, or None.

        In them `$arg0` to `$arg9` are its words, `$argc` is their number, and `$args`
        all of them.
        """
        name, *given = line.split()
        if name not in self.made:
            return None

        def put(found: re.Match[str]) -> str:
            if found[1] in "cs":
                return str(len(given)) if found[1] == "c" else " ".join(given)
            number = int(found[1])
            if number >= len(given):
                raise CommandError(
                    f"{name} needs {number + 1} word{'s' * (number > 0)} behind it"
                )
            return given[number]

        return [_GIVEN.sub(put, each) for each in self.made[name]]
