"""The plug-ins of one command line: option `--plugin`, and what is said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapis_tui import output
from lapis_tui.cli import completing

if TYPE_CHECKING:
    from lapis_plugins.host import Host
    from lapis_plugins.plugin import Report
    from lapis_sessions.extensions import Extensions

KEY = "lapis.plugins"


def _keep(ctx: click.Context, _option: click.Parameter, files: tuple[str, ...]) -> None:
    ctx.meta[KEY] = (*ctx.meta.get(KEY, ()), *files)


OPTION = click.option(
    "--plugin",
    multiple=True,
    metavar="FILE",
    shell_complete=completing.files,
    expose_value=False,
    callback=_keep,
    help="Load the plug-in of a Python file; may be repeated.",
)


def files() -> tuple[str, ...]:
    """Return the files of plug-ins that this command line names."""
    ctx = click.get_current_context(silent=True)
    found: tuple[str, ...] = ctx.meta.get(KEY, ()) if ctx is not None else ()
    return found


def host() -> Host:
    """Return the plug-ins; what the user must hear goes to standard error at once."""
    from lapis_plugins.host import discover  # noqa: PLC0415 - loads the engine

    return discover(tell, files())


def unheard() -> Host:
    """Return the plug-ins; what becomes of them is told to nobody."""
    from lapis_plugins.host import discover  # noqa: PLC0415 - loads the engine

    return discover(files=files())


def extensions() -> Extensions:
    """Return what the plug-ins offer; the same goes to standard error."""
    return host().extensions


def tell(report: Report) -> None:
    """Say what became of a plug-in."""
    output.tell(report.text)
