"""What is configured, and what is wrong with what was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lapis_sessions.text.visible import PATH, short, visible
from lapis_tui.bindings import KEYS, Key

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["emacs", "vi"]
Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that cannot be."""

    file: str
    line: int
    """From 1."""
    key: str | None
    """With its tables, as `open.cpus`; None where the file is no TOML."""
    why: str

    def __str__(self) -> str:
        """Return it as one line that a terminal can be shown."""
        key = f"{short(self.key)}: " if self.key is not None else ""
        return f"{short(self.file, PATH)}:{self.line}: {key}{visible(self.why)}"


@dataclass(frozen=True, slots=True)
class Console:
    """Of `lapis console`."""

    mode: Mode = "emacs"
    """How its line is edited."""
    colours: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """All of it; without a file it is what applies of itself."""

    file: str | None = None
    """What was read, or would be if it were there; None where none is looked for."""
    chosen: Literal["default", "environment", "option"] = "default"
    """Who says that it is that file."""
    theme: str | None = None
    """None leaves it to what the screen remembers, and to the terminal."""
    layout: str | None = None
    """The same of the layout that is shown first."""
    ascii: bool | None = None
    """None leaves it to the environment and to the locale."""
    keymap: str = "default"
    keys: tuple[Key, ...] = KEYS
    """Every action with the keys that do it."""
    console: Console = Console()
    colours: Mapping[str, Value] = field(default_factory=dict)
    """`#rrggbb` by role, instead of the theme's."""
    open: Mapping[str, Value] = field(default_factory=dict)
    """Options of the command that opens a guest, which apply unless they are given."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """On which line each key stands that is heeded, by its name with its table."""
    problems: tuple[Problem, ...] = ()
    """What is not heeded."""

    @property
    def notice(self) -> str | None:
        """One sentence about what is wrong, None if nothing is."""
        if not self.problems:
            return None
        others = len(self.problems) - 1
        more = f"; and {others} more, see lapis config check" if others else ""
        first = self.problems[0]
        what = "the defaults apply" if first.key is None else "that is left out"
        return f"{first}; {what}{more}"

    def where(self, name: str) -> str | None:
        """Return file and line of a key that is heeded, None of one that is not."""
        line = self.lines.get(name)
        return f"{short(self.file or '', PATH)}:{line}" if line is not None else None
