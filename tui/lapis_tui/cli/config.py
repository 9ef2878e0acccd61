"""`lapis config`: what is configured, where, and whether it is right."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError
from lapis_sessions import regular
from lapis_sessions.text.visible import quoted_path, visible
from lapis_tui import glyphs, kept, output, statuses
from lapis_tui.cli import completing, headless
from lapis_tui.cli import options as cli_options
from lapis_tui.cli.numbers import NUMBER
from lapis_tui.config import applying, reading
from lapis_tui.config.fields import THEMES

if TYPE_CHECKING:
    from lapis_tui.config.record import Config, Value

EDITORS = ("nano", "vim", "vi")
"""What is started where the environment names none, the first that is there."""
OPENING = ("cpus", "memory", "machine", "profile")
FILE_OPTION = click.option(
    "--config",
    "file",
    default=None,
    metavar="FILE",
    shell_complete=completing.files,
    help="Of FILE, and not the user's.",
)


def _given(function: cli_options.Decorator | Any) -> Any:
    return cli_options.decorated(
        function,
        (
            click.option("--theme", type=click.Choice(THEMES), help="As for `tui`."),
            click.option("--ascii/--no-ascii", default=None, help="The same."),
            click.option("--cpus", type=NUMBER, default=None, help="The same."),
            *(
                click.option(
                    f"--{name}", default=None, metavar="NAME", help="The same."
                )
                for name in OPENING[1:]
            ),
        ),
    )


@click.group(invoke_without_command=True)
@FILE_OPTION
@_given
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def config(
    ctx: click.Context,
    /,
    file: str | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
    **given: Any,
) -> int:
    """Show what is configured: what applies, and who says so.

    With options of the debugger it shows what applied beside them.
    """
    ctx.obj = file
    if ctx.invoked_subcommand is not None:
        return headless.OK
    found = reading.load(file)
    before = _environment() | {
        name: (value, f"option --{option}")
        for option, value in given.items()
        if value is not None
        for name in [f"open.{option}" if option in OPENING else option]
    }
    rows = applying.rows(found, before, _kept())
    if as_json:
        output.data({
            "file": found.file, "chosen": found.chosen,
            "settings": [
                {"name": row.name, "value": row.value, "source": row.source}
                for row in rows
            ],
            "problems": [str(problem) for problem in found.problems],
        })  # fmt: skip
    else:
        output.say(f"{_head(found)}\n\n{applying.text(rows)}")
    for problem in found.problems:
        output.tell(f"{problem}; that is left out")
    return headless.OK


def _environment() -> dict[str, tuple[Value, str]]:
    environ = glyphs.environment()
    if not glyphs.is_chosen(environ):
        return {}
    is_ascii = environ[glyphs.CHOICE] == "1"
    return {"ascii": (is_ascii, f"environment {glyphs.CHOICE}")}


def _kept() -> dict[str, str]:
    path = kept.place()
    if not path.exists():
        return {}
    found = kept.Kept(path)
    theme = {"theme": found.theme} if found.theme is not None else {}
    return {"layout": found.layout, **theme}


def _head(found: Config) -> str:
    file = found.file or ""
    who = {
        "default": "where it is looked for", "option": "option --config",
        "environment": f"environment {reading.VARIABLE}",
    }[found.chosen]  # fmt: skip
    there = "" if _is_there(file) else ", not there"
    return f"{visible(file)} ({who}{there})"


def _is_there(file: str) -> bool:
    try:
        return Path(file).exists()
    except OSError:  # no file can have that name
        return False


@config.command("path")
@FILE_OPTION
@click.pass_context
def config_path(ctx: click.Context, file: str | None) -> int:
    """Print the name of the file, whether it is there or not."""
    output.say(visible(reading.place(file or ctx.obj)[0]))
    return headless.OK


@config.command("check", epilog=statuses.epilog("config check"))
@click.argument("file", required=False, shell_complete=completing.files)
@click.pass_context
def config_check(ctx: click.Context, file: str | None) -> int:
    """Check FILE, or the user's: everything that is wrong, with its line.

    The status is 1 if something is.
    """
    name = reading.place(file or ctx.obj)[0]
    return _check(name)


def _check(name: str) -> int:
    found = reading.parsed(regular.read(name, reading.MOST, "configuration"), name)
    for problem in found.problems:
        output.say(str(problem))
    if found.problems:
        return headless.FAILED
    count = len(found.lines)
    what = "1 setting" if count == 1 else f"{count} settings"
    output.say(f"{visible(name)}: {what}, nothing wrong")
    return headless.OK


@config.command("edit")
@FILE_OPTION
@click.pass_context
def config_edit(ctx: click.Context, file: str | None) -> int:
    """Edit the file with $VISUAL or $EDITOR, and check it then.

    One that is not there begins with everything in comments.
    """
    name = reading.place(file or ctx.obj)[0]
    editor = _editor()
    path = Path(name)
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(applying.template(), "utf-8")
        status = subprocess.run([*editor, name], check=False).returncode
    except OSError as error:
        failed = error.filename or name
        why = error.strerror or error
        raise ConfigError(f"{quoted_path(str(failed))}: {why}") from None
    except ValueError:  # a NUL, or what no encoding of names has
        raise ConfigError(f"{quoted_path(name)}: no file can have that name") from None
    if status:
        raise ConfigError(f"{quoted_path(editor[0])} ended with status {status}")
    return _check(name)


def _editor() -> list[str]:
    """Return the words of the user's editor; raise `ConfigError` without one."""
    for variable in ("VISUAL", "EDITOR"):
        if named := os.environ.get(variable, "").strip():
            try:
                return shlex.split(named)
            except ValueError as error:
                raise ConfigError(f"{variable} cannot be read: {error}") from None
    for name in EDITORS:
        if shutil.which(name) is not None:
            return [name]
    raise ConfigError("there is no editor: name one in EDITOR")
