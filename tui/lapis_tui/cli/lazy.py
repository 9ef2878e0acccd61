"""A group of commands that are imported when one is called, and not to be listed.

What a list says of a command stands in a table beside its module's name; the tests hold
it against the command.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Sequence


class Known(NamedTuple):
    """A command that there is, before it is imported."""

    name: str
    module: str
    """Where it is: a module of `lapis_tui.cli`."""
    attribute: str
    help: str
    """The first sentence of its help."""

    def load(self) -> click.Command:
        """Import the command."""
        module = import_module(f"lapis_tui.cli.{self.module}")
        command: click.Command = getattr(module, self.attribute)
        return command

    def short(self, limit: int = 45) -> str:
        """Return its help in `limit` characters, cut as click cuts."""
        return click.Command(self.name, help=self.help).get_short_help_str(limit)


class LazyGroup(click.Group):
    """A group of `known` commands."""

    def __init__(self, *args: Any, known: Sequence[Known] = (), **kwargs: Any) -> None:
        """Import none of them."""
        super().__init__(*args, **kwargs)
        self.known = {each.name: each for each in known}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted(self.known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Import a command that is called."""
        found = self.known.get(cmd_name)
        return found.load() if found is not None else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - the same
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands, as click would that had imported them."""
        limit = formatter.width - 6 - max(map(len, self.known))
        rows = [(name, each.short(limit)) for name, each in sorted(self.known.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return the commands and options that begin so."""
        found = [
            CompletionItem(name, help=each.short())
            for name, each in sorted(self.known.items())
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)
