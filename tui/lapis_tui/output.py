"""What the program says: the one way out to standard output and standard error.

Nothing but this module writes there (the rules of the linter see to it), so that
nothing of a guest or a file reaches a terminal as it is: see
`lapis_sessions.text.visible` for what that means, and why fields are made visible
before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lapis_sessions.plain import plain
from lapis_sessions.text.visible import json_text, printed, shown, visible

if TYPE_CHECKING:
    from collections.abc import Callable


def say(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Write `text`, which may have several lines, and `end` after it."""
    fit = printed(text) + end
    click.echo(fit, err=err, nl=False, color=True)  # noqa: TID251 - the one place


def guest(text: str) -> None:
    """Write what `guest_text.Filter` has made of a guest's console, as it comes."""
    click.echo(text, nl=False, color=True)  # noqa: TID251 - the other place
    if sys.stdout is not None:
        sys.stdout.flush()


def tell(sentence: str) -> None:
    """Say a sentence beside the results: a warning, or what is wrong."""
    say(f"lapis: {visible(sentence)}", err=True)


def data(value: Any) -> None:
    """Write plain data as a line of JSON."""
    say(json_text(value))


def result(view: Any, text: Callable[[Any], str], *, as_json: bool) -> None:
    """Write a view: as JSON with its true texts, or in the words that `text` makes."""
    if as_json:
        data(plain(view))
    else:
        say(text(shown(view)))
