"""The options of `lapis replay` and `lapis scenario`.

They are apart from what is done with them, so that a shell completes them, and help
lists them, without the engine.
"""

from __future__ import annotations

from typing import Any

import click

from lapis_tui import statuses
from lapis_tui.cli import completing, configured, plugged, screen
from lapis_tui.cli import options as cli_options

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LINES = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, one line each."
)
PROFILES = completing.words(*completing.PROFILES)


@click.command(epilog=statuses.epilog("replay"))
@click.argument("file", shell_complete=completing.played)
@click.option(
    "--headless", "without", is_flag=True, help="Replay to the end and report."
)
@click.option(
    "--console", "at_prompt", is_flag=True, help="Open it at a prompt instead."
)
@click.option("--verify", is_flag=True, help="The same; status 1 if anything differs.")
@click.option(
    "--to", default="", metavar="WHERE", help="Go there first: #EVENT, COUNT."
)
@click.option("-c", "commands", multiple=True, metavar="CMD", help="Do this command.")
@click.option(
    "--recording",
    "tape",
    default="",
    metavar="NAME",
    help="Of a scenario with several recordings, this one; else the first.",
)
@click.option(
    "--profile",
    default="",
    shell_complete=PROFILES,
    help="Replay under another profile.",
)
@click.option(
    "--compare",
    default="",
    metavar="PROFILE",
    shell_complete=PROFILES,
    help="Show where that first differs from a replay under PROFILE.",
)
@plugged.OPTION
@cli_options.MEMORY_LIMIT
@configured.OPTION
@screen.looks
@JSON
def replay(**options: Any) -> int:
    """Open a recording, or a scenario by its name: in the debugger, or without one.

    It stands at its beginning, or at --to; run, continue and step follow what was done
    then, to its end. Anything else begins a branch; in the debugger, and
    at a prompt, only after fork.
    """
    from lapis_tui.cli import recordings  # noqa: PLC0415 - loads the engine

    return recordings.replay(**options)


@click.command(epilog=statuses.epilog("scenario"))
@click.argument("name", shell_complete=completing.scenarios)
@click.option(
    "--lesson", is_flag=True, help="Ask what follows; answers are lines of stdin."
)
@click.option(
    "--check", "checks", is_flag=True, help="Replay it; status 1 if anything differs."
)
@plugged.OPTION
@LINES
def scenario(**options: Any) -> int:
    """Walk through a scenario: what happens, and how the machine looks then.

    With --lesson it stops at each point where something can be predicted. With --json
    there is an object for the scenario and one for each point, and questions go to
    standard error.
    """
    from lapis_tui.cli import scenarios  # noqa: PLC0415 - loads the engine

    return scenarios.scenario(**options)
