"""`lapis guests`, `lapis commands` and `lapis man`: what there is to be found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from lapis_sessions import guests as known
from lapis_sessions.text.visible import visible
from lapis_sessions.views import reference
from lapis_tui import output, recent
from lapis_tui.cli import headless, plugged
from lapis_tui.cli import main as cli
from lapis_tui.manual import manual

if TYPE_CHECKING:
    from lapis_sessions.registry import Registry

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@JSON
def guests(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the guests that come with Lapis, and those that were opened last."""
    summaries = known.summaries()
    last = recent.recent()
    if as_json:
        output.data({"embedded": summaries, "recent": last})
        return headless.OK
    width = max(map(len, summaries))
    rows = [f"{name:<{width}}  {text}" for name, text in summaries.items()]
    if last:
        rows += ["", "opened last:", *(f"  {visible(name)}" for name in last)]
    output.say("\n".join(rows))
    return headless.OK


@click.command()
@click.argument("name", nargs=-1)
@plugged.OPTION
@JSON
def commands(name: tuple[str, ...], as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the commands of a session, or describe one.

    They are those of `lapis exec -c`, of scripts, and of the debugger's command line.
    """
    registry = _registry()
    found = registry.commands if not name else (registry.named(" ".join(name)),)
    views = [reference.command(command) for command in found]
    output.result(views, reference.commands_text, as_json=as_json)
    return headless.OK


@click.command()
@plugged.OPTION
def man() -> int:
    """Show the manual page, or print it where there is no terminal."""
    text = manual(cli.lapis, _registry())
    shows = shutil.which("man")
    if sys.stdout.isatty() and shows is not None:
        done = subprocess.run([shows, "-l", "-"], input=text.encode(), check=False)
        if not done.returncode:
            return headless.OK
    output.say(text, end="")
    return headless.OK


def _registry() -> Registry:
    return plugged.extensions().registry
