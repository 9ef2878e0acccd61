"""`lapis console`: a prompt for a guest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from lapis_tui import ending, recent
from lapis_tui.cli import completing, configured, headless, plugged, running, screen

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@running.machine_options
@click.option(
    "-x",
    "files",
    multiple=True,
    metavar="FILE",
    shell_complete=completing.files,
    help="Do the lines of FILE before the first prompt.",
)
@click.option("-c", "lines", multiple=True, metavar="LINE", help="Then do this line.")
@click.option(
    "--stop-on-error",
    is_flag=True,
    help="Stop a file at the first line that fails, and leave with status 1.",
)
@click.option("--no-rc", is_flag=True, help="Do not do the user's own file of lines.")
@click.option(
    "--vi/--emacs",
    "is_vi",
    default=None,
    help="How lines are edited; else as configured, or as emacs does.",
)
@click.option("--pager/--no-pager", default=True, help="Show long results in a pager.")
def console(
    files: Sequence[str],
    lines: Sequence[str],
    *,
    stop_on_error: bool,
    no_rc: bool,
    is_vi: bool | None,
    pager: bool,
    **options: Any,
) -> int:
    """Open a prompt for a guest: completion, history, and every command.

    Before the first prompt it does the lines of `console.rc` in the user's folder of
    configuration. From a pipe, or on a terminal that cannot move its cursor, it takes
    one line after the other.
    """
    from lapis_tui.console import start  # noqa: PLC0415 - loads the engine

    extensions = plugged.unheard().extensions
    wanted = configured.config().console
    asked = start.ConsoleOptions(
        files=files,
        lines=lines,
        stops_on_error=stop_on_error,
        rc=None if no_rc else start.rc_file(),
        history=start.history_file(),
        is_vi=wanted.mode == "vi" if is_vi is None else is_vi,
        has_colours=wanted.colours and not os.environ.get("NO_COLOR"),
        is_paged=pager,
    )
    can_edit = os.environ.get("TERM", "dumb") not in screen.WITHOUT_CURSOR
    with ending.listening() as end:
        session = running.opened(options, extensions)
        if options["guest"]:
            recent.remember(options["guest"])
        with ending.closing(session, end):
            is_well = start.run(session, end, asked, can_edit=can_edit)
        if end.asked:
            return end.status
        return headless.OK if is_well else headless.FAILED
