"""What `lapis tui` and `lapis replay` have in common: the debugger on a terminal.

A terminal library is loaded only once there is a terminal for it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from lapis_engine.errors import ConfigError
from lapis_tui.browser import DRIVER
from lapis_tui.cli import configured
from lapis_tui.config.fields import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending

WITHOUT_CURSOR: Final = {"dumb", "unknown"}
"""Values of TERM for what shows one row after the other and nothing else."""


def looks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how the screen looks."""
    theme = click.option(
        "--theme",
        type=click.Choice(THEMES),
        help="How the screen looks, this time; `theme NAME` there keeps it.",
    )
    glyphs = click.option(
        "--ascii/--no-ascii",
        "is_ascii",
        default=None,
        help="Draw with ASCII, or not; without it as the locale says, or LAPIS_ASCII.",
    )
    return theme(glyphs(function))


def need(otherwise: str) -> None:
    """Raise `ConfigError` where there is no terminal to be on; say what to do then."""
    if os.environ.get("TEXTUAL_DRIVER") == DRIVER:
        return  # a page
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(f"the debugger needs a terminal; without one {otherwise}")
    name = os.environ.get("TERM", "")
    if name in WITHOUT_CURSOR:
        raise ConfigError(
            f"the debugger needs a terminal whose cursor it can move, and TERM is "
            f"{name!r}; without one {otherwise}"
        )


def show(
    session: Session, ending: Ending, theme: str | None, *, is_ascii: bool | None
) -> int:
    """Show `session` on the terminal; return the exit status."""
    from lapis_tui.app import run_app  # noqa: PLC0415 - loads Textual
    from lapis_tui.worn import of_terminal  # noqa: PLC0415 - the same

    worn = of_terminal(theme, is_ascii=is_ascii, config=configured.config())
    return run_app(session, ending, worn)
