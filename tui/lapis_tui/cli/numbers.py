"""Numbers among the options of the command line, read as those of commands are."""

from __future__ import annotations

from typing import Any

import click

from lapis_sessions.errors import CommandError
from lapis_sessions.text import numerals


class Number(click.ParamType[int]):
    """An integer: decimal or hex, of 64 bits at most, negative where that is said."""

    name = "integer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it; what a number may be in its place is for the command to say."""
        if isinstance(value, int):  # a default
            return value
        text = str(value).strip()
        digits = text.removeprefix("-")
        try:
            number = numerals.number(digits, "")
        except CommandError:
            number = None
        if number is None:
            shown = numerals.shown(text)
            most = f"{numerals.LARGEST:#x}"
            self.fail(f"{shown} is not a valid integer of at most {most}.", param, ctx)
        return number if digits == text else -number


NUMBER = Number()
