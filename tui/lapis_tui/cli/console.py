"""`lapis console`: a prompt for a guest."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lapis_tui import ending, recent, statuses
from lapis_tui.cli import completing, configured, headless, plugged, running, screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session
    from lapis_tui.console.start import ConsoleOptions
    from lapis_tui.ending import Ending


@click.command(epilog=statuses.epilog("console"))
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
    extensions = plugged.unheard().extensions
    asked = replace(
        _configured(), files=files, lines=lines, stops_on_error=stop_on_error,
        is_paged=pager,
    )  # fmt: skip
    if no_rc:
        asked = replace(asked, rc=None)
    if is_vi is not None:
        asked = replace(asked, is_vi=is_vi)
    with ending.listening() as end:
        session = running.opened(options, extensions)
        if options["guest"]:
            recent.remember(options["guest"])
        return _served(session, end, asked)


def show(session: Session, end: Ending) -> int:
    """Open a prompt, as configured, for a session that is there; return the status."""
    return _served(session, end, _configured())


def _configured() -> ConsoleOptions:
    from lapis_tui.console import start  # noqa: PLC0415 - loads the engine

    wanted = configured.config().console
    return start.ConsoleOptions(
        rc=start.rc_file(), history=start.history_file(), is_vi=wanted.mode == "vi",
        has_colours=wanted.colours and not os.environ.get("NO_COLOR"),
    )  # fmt: skip


def _served(session: Session, end: Ending, asked: ConsoleOptions) -> int:
    from lapis_tui.console import start  # noqa: PLC0415 - loads the engine

    can_edit = os.environ.get("TERM", "dumb") not in screen.WITHOUT_CURSOR
    with ending.closing(session, end):
        is_well = start.run(session, end, asked, can_edit=can_edit)
    if end.asked:
        return end.status
    return headless.OK if is_well else headless.FAILED
