"""The page of the program `lapis`: each subcommand, its arguments and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from lapis_tui.reference.commands import anchor
from lapis_tui.reference.markdown import block, code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = """\
# The program lapis

`lapis [GUEST] [OPTIONS]` starts the debugger; a first word that is the name of a
subcommand does that. The same is in the manual page, `lapis man`.
"""


def page(program: click.Group) -> str:
    """Return the page."""
    found = list(_leaves(program, click.Context(program, info_name="lapis")))
    rows = [
        (f"[{code(above.command_path)}](#{anchor(above.command_path)})",
         prose(command.get_short_help_str(200)))
        for command, above in found
    ]  # fmt: skip
    parts = [HEAD, table(("", "what it does"), rows)]
    for command, context in found:
        parts += _command(command, context)
    return joined(parts)


def _leaves(
    group: click.Group, above: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield every subcommand that can be called, each with its context."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, above, info_name=name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield command, context
        if isinstance(command, click.Group):
            yield from _leaves(command, context)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield block(f"{context.command_path} {pieces}")
    for part in (command.help or "").replace("\b", "").strip().split("\n\n"):
        yield f"{prose(part)}\n"
    records = [each.get_help_record(context) for each in command.get_params(context)]
    rows = [
        (code(record[0]), prose(record[1]))
        for record in records
        if record is not None and record[1] and "--help" not in record[0]
    ]
    yield table(("option", "what it is for"), rows)
