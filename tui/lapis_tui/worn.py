"""How the screen is to look from the start: by choice, or as the terminal can do it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from rich.console import Console

from lapis_tui import glyphs
from lapis_tui.config.record import Config
from lapis_tui.theme import DEFAULT, TERMINAL

FEW = {None, "standard", "windows"}
"""What Rich calls the colours of a terminal that has sixteen at most."""


@dataclass(frozen=True, slots=True)
class Worn:
    """How an application is to look from the start."""

    theme: str | None = None
    """Asked for this time; None takes what is configured, or the one that was kept."""
    otherwise: str = DEFAULT
    """The theme where none was kept either."""
    is_ascii: bool = False
    config: Config = field(default_factory=Config)
    """Keys, colours, the first layout."""


def of_terminal(
    theme: str | None, *, is_ascii: bool | None, config: Config | None = None
) -> Worn:
    """Return the looks for this terminal, where None is no choice."""
    config = config if config is not None else Config()
    environ = glyphs.environment()
    if is_ascii is None and not glyphs.is_chosen(environ):
        is_ascii = config.ascii
    if is_ascii is None:
        stream = sys.__stderr__  # what Textual writes to
        encoding = stream.encoding if stream is not None else None
        is_ascii = glyphs.wants_ascii(environ, encoding)
    colours = Console(force_terminal=True).color_system
    return Worn(theme, TERMINAL if colours in FEW else DEFAULT, is_ascii, config)
