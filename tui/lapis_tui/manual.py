r"""The manual page, made from the command line's own description and the registry.

It is written in the macros of groff_man(7). What comes from elsewhere is escaped: in
roff a line that begins with a dot or an apostrophe is an order, and a backslash begins
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from lapis_tui import statuses
from lapis_tui.bindings import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.registry import Command, Registry

FILES: Final = (
    (
        "config.toml",
        (
            "The configuration, in the folder lapis where the platform keeps those of "
            "users; lapis config path prints its name."
        ),
    ),
    (
        "screen.json, guests.json",
        (
            "What the screen keeps, and the guests that were opened last, where the "
            "platform keeps state."
        ),
    ),
)
VARIABLES: Final = (
    ("LAPIS_CONFIG", "Another file of the configuration."),
    ("LAPIS_ASCII", "1 draws the screen with ASCII, 0 does not, whatever the locale."),
    ("LAPIS_CORE", "count counts instructions one by one, without what is compiled."),
    ("NO_COLOR", "If it is set, nothing has colours."),
    ("VISUAL, EDITOR", "What lapis config edit starts."),
)


def manual(program: click.Group, registry: Registry) -> str:
    """Return the page in roff."""
    rows = [
        '.\\" Made by `lapis man`; do not edit.',
        ".TH LAPIS 1",
        ".SH NAME",
        "lapis \\- step x86 vCPUs and their local APICs, one event at a time",
        ".SH SYNOPSIS",
        *_bold("lapis", "[GUEST] [OPTIONS]"),
        ".br",
        *_bold("lapis", "COMMAND [ARGS]..."),
        ".SH DESCRIPTION",
        *_paragraphs(program.help or ""),
        ".SH COMMANDS",
    ]
    context = click.Context(program, info_name="lapis")
    for name in program.list_commands(context):
        found = program.get_command(context, name)
        if found is not None and not found.hidden:
            rows += _command(found, context, name)
    rows.append(".SH COMMANDS OF A SESSION")
    rows += _text("For lapis exec \\-c, scripts, and the command line of the debugger.")
    for command in registry.commands:
        rows += _of_session(command)
    rows.append(".SH KEYS")
    for key in KEYS:
        rows += _tagged(key.shown, f"{key.help} ({key.id})")
    for title, entries in (
        ("FILES", FILES), ("ENVIRONMENT", VARIABLES), ("EXIT STATUS", statuses.EVERY),
    ):  # fmt: skip
        rows.append(f".SH {title}")
        for tag, text in entries:
            rows += _tagged(tag, text)
    return "\n".join([*rows, ""])


def _command(command: click.Command, above: click.Context, name: str) -> Iterator[str]:
    """Yield a command with its options, and the commands that it has."""
    context = click.Context(command, above, info_name=name)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {escaped(context.command_path)} {escaped(pieces)}"
    yield from _paragraphs(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1] and "--help" not in parameter.opts:
            yield from _tagged(*record)
    own = statuses.OF.get(context.command_path.removeprefix("lapis "))
    if own is not None:
        yield ".PP"
        yield from _text("Exit status:")
        for status, text in own:
            yield from _tagged(status, text)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from _command(found, context, inner)


def _of_session(command: Command) -> Iterator[str]:
    also = f" Also: {', '.join(command.aliases)}." if command.aliases else ""
    yield from _tagged(command.usage, f"{command.help} ({command.effect}).{also}")


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help, which has a blank line between two."""
    for number, part in enumerate(text.replace("\b", "").strip().split("\n\n")):
        if number:
            yield ".PP"
        yield from _text(escaped(" ".join(part.split())))


def _tagged(tag: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield from _bold(tag)
    yield from _text(escaped(" ".join(text.split())))


def _bold(word: str, rest: str = "") -> Iterator[str]:
    tail = f" {escaped(rest)}" if rest else ""
    yield f"\\fB{escaped(word)}\\fR{tail}"


def _text(text: str) -> Iterator[str]:
    """Yield a line that is none of roff's orders."""
    yield f"\\&{text}" if text.startswith((".", "'")) else text


def escaped(text: str) -> str:
    r"""Return text that roff prints as it is, on one line.

    >>> print(escaped("a-b 'c' \\d ←"))
    a\-b \(aqc\(aq \ed \[u2190]
    """
    pieces = {
        "\\": "\\e", "-": "\\-", "'": "\\(aq", '"': "\\(dq", "`": "\\(ga",
        "^": "\\(ha", "~": "\\(ti", "\n": " ",
    }  # fmt: skip
    return "".join(
        pieces.get(char, char) if ord(char) < 128 else f"\\[u{ord(char):04X}]"
        for char in text
    )
