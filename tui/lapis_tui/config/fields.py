"""The keys of a configuration: what each may be, what for, and what applies else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.text import numerals
from lapis_sessions.text.near import nearest
from lapis_tui.config.keymaps import MAPS
from lapis_tui.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lapis_tui.config.record import Value

THEMES: Final = ("dark", "light", "high-contrast", "terminal")
"""Their names (`lapis_tui.theme` has them, and loads Textual)."""
ROLES: Final = (
    "background", "panel", "cursor", "here", "foreground", "secondary", "primary",
    "dim", "held", "rule", "warning", "success", "error",
)  # fmt: skip
"""What has a colour of its own in a theme."""
MOST_VCPUS: Final = 255
"""Of any profile; one that takes fewer says so itself."""
LETTERS: Final = 80
"""Of a name."""
_COLOUR: Final = re.compile("#[0-9a-fA-F]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key."""

    name: str
    """With its table."""
    text: str
    """What it is for."""
    otherwise: str
    """What applies without it, in words or as it is written."""
    example: str
    """A value, as it is written."""
    read: Callable[[object], Value]
    """Returns the value; raises `ValueError` with what it has to be."""


def _choice(names: Collection[str]) -> Callable[[object], Value]:
    def read(value: object) -> Value:
        if isinstance(value, str) and value in names:
            return value
        near = nearest(value, names) if isinstance(value, str) else None
        hint = f"; did you mean {near}?" if near is not None else ""
        raise ValueError(f"{_said(value)} is none of {', '.join(names)}{hint}")

    return read


def _flag(value: object) -> Value:
    if not isinstance(value, bool):
        raise ValueError(f"{_said(value)} is neither true nor false")  # noqa: TRY004 - one kind of error for all
    return value


def _colour(value: object) -> Value:
    if not isinstance(value, str) or _COLOUR.fullmatch(value) is None:
        raise ValueError(f'{_said(value)} is no colour: write one as "#e8b86d"')
    return value.lower()


def _vcpus(value: object) -> Value:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not isinstance(value, int) or not 1 <= value <= MOST_VCPUS:
        raise ValueError(f"{_said(value)} is not a number from 1 to {MOST_VCPUS}")
    return value


def _size(value: object) -> Value:
    if not isinstance(value, str):
        raise ValueError(f'{_said(value)} is not a size in quotes: write "64M"')  # noqa: TRY004 - the same
    try:
        numerals.size(value)
    except LapisError as error:
        raise ValueError(str(error)) from None
    return value


def _name(value: object) -> Value:
    if not isinstance(value, str) or not 0 < len(value) <= LETTERS:
        raise ValueError(f"{_said(value)} is not a name in quotes")
    return value


def _said(value: object) -> str:
    """Return a value for a sentence, of a long one the beginning."""
    kinds = {True: "true", False: "false"}
    if isinstance(value, bool):
        return kinds[value]
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and abs(value) > numerals.LARGEST:
        return "so large a number"
    said = repr(value)
    return said if len(said) <= LETTERS else f"{said[: LETTERS // 2]}..."


SETTINGS: Final = (
    Setting("theme", "how the screen looks", "what `theme NAME` kept, or dark",
        '"dark"', _choice(THEMES)),
    Setting("layout", "the layout that the screen shows first", "the last one shown",
        '"step"', _choice([each.name for each in LAYOUTS])),
    Setting("ascii", "draw with ASCII", "as LAPIS_ASCII or the locale says", "false",
        _flag),
    Setting("keymap", f"the keys: {', '.join(MAPS)}", "default", '"vim"',
        _choice(MAPS)),
    Setting("console.mode", "how the console's line is edited: emacs or vi", "emacs",
        '"vi"', _choice(("emacs", "vi"))),
    Setting("console.colours", "colours in the console", "true", "true", _flag),
    Setting("open.cpus", "vCPUs of a guest", "2", "4", _vcpus),
    Setting("open.memory", "its RAM", "64M on a bare machine, 256M on a PC", '"128M"',
        _size),
    Setting("open.machine", "its platform, see lapis machines", "as the guest needs it",
        '"bare"', _name),
    Setting("open.profile", "whose behaviour, see lapis profiles", "sdm", '"illumos"',
        _name),
    *(
        Setting(f"colours.{role}", "a colour of the screen, whatever the theme",
            "the theme's", '"#e8b86d"', _colour)
        for role in ROLES
    ),
)  # fmt: skip
"""All but those of `[keys]`, which has one for each action."""
TABLES: Final = ("keys", "console", "open", "colours")
