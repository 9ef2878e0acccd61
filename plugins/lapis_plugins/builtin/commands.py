"""The commands that come with Lapis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_plugins.spec import hookimpl
from lapis_sessions.commands.builtin import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.registry import Command


@hookimpl
def lapis_commands() -> Sequence[Command]:
    """Return all of them."""
    return COMMANDS
