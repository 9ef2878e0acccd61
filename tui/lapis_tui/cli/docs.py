"""`lapis docs`: the documentation, without a network."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapis_tui import ending, output
from lapis_tui.cli import completing, configured, headless, screen
from lapis_tui.docs import shelf

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _named(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem | str]:
    """Return the names of pages that begin so."""
    return [page.name for page in shelf.pages() if page.name.startswith(incomplete)]


@click.command()
@click.argument("page", default="", shell_complete=_named)
@click.option("--list", "is_listed", is_flag=True, help="List the pages.")
@click.option("--where", "is_place", is_flag=True, help="Say where the pages are.")
@click.option(
    "--plain", is_flag=True, help="Print the page; so where there is no terminal."
)
@click.option(
    "--build", default="", metavar="DIR", shell_complete=completing.files,
    help="Build a site in DIR, which is new or empty (pip install 'lapis[docs]').",
)  # fmt: skip
@click.option(
    "--browser", is_flag=True,
    help="Open the page in a browser: of the site of --build, or of one that is kept.",
)  # fmt: skip
def docs(
    page: str,
    *,
    is_listed: bool,
    is_place: bool,
    plain: bool,
    build: str,
    browser: bool,
) -> int:
    """Show the documentation: PAGE, or the first one.

    On a terminal `t` shows the contents of a page, `g` goes to another one by its name,
    a click follows a link, `b` goes back, and `q` leaves. The pages come with Lapis.
    """
    asked = {
        "--list": is_listed, "--where": is_place, "--plain": plain,
        "--build and --browser": bool(build) or browser,
    }  # fmt: skip
    said = [name for name, is_said in asked.items() if is_said]
    if len(said) > 1:
        raise click.UsageError(f"{' and '.join(said)} exclude each other")
    if page and (is_listed or is_place):
        raise click.UsageError(f"{said[0]} takes no page")
    wanted = shelf.find(page or shelf.FIRST)
    if is_listed:
        return _list()
    if is_place:
        output.say(f"{shelf.folder()}")
    elif build or browser:
        _built(wanted, build, is_opened=browser)
    elif plain or not _is_terminal():
        output.say(wanted.text(), end="")
    else:
        return _read(wanted)
    return headless.OK


def _list() -> int:
    pages = shelf.pages()
    width = max(len(each.name) for each in pages)
    output.say("\n".join(f"{each.name:<{width}}  {each.title}" for each in pages))
    return headless.OK


def _is_terminal() -> bool:
    """Tell whether a page can be shown, and somebody sits there."""
    name = os.environ.get("TERM", "")
    is_there = sys.stdin.isatty() and sys.stdout.isatty()
    return is_there and name not in screen.WITHOUT_CURSOR


def _read(page: shelf.DocumentedPage) -> int:
    from lapis_tui.docs import viewer  # noqa: PLC0415 - loads Textual
    from lapis_tui.worn import of_terminal  # noqa: PLC0415 - the same

    with ending.listening() as end:
        worn = of_terminal(None, is_ascii=None, config=configured.config())
        return viewer.read(page, worn, end)


def _built(page: shelf.DocumentedPage, folder: str, *, is_opened: bool) -> None:
    """Build the site, or take the one that is kept; say where the page is."""
    from lapis_tui.docs import site  # noqa: PLC0415 - rarely wanted

    made = site.build(Path(folder)) if folder else site.kept()
    file = (made / f"{page.name}.html").resolve()
    output.say(f"{file}")
    if is_opened and not webbrowser.open(file.as_uri()):
        output.tell("there is no browser to open")
