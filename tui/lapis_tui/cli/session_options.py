"""The options of the commands of `lapis session`.

They are apart from what is done with them (`session_tools`, `recordings`,
`compare`), so that a shell completes them, and help lists them, without the engine.
"""

from __future__ import annotations

from typing import Any

import click

from lapis_tui import statuses
from lapis_tui.cli import completing, plugged
from lapis_tui.cli import options as cli_options

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FILE = click.argument("file", shell_complete=completing.recordings)
BRANCH = click.argument(
    "file", metavar="FILE[@BRANCH]", shell_complete=completing.recordings
)
OUT = click.option("-o", "--output", "out", required=True, metavar="OUT", help="File.")
FORCE = click.option("--force", is_flag=True, help="Replace OUT if it is there.")


@click.command("dump")
@FILE
@click.option("--ndjson", is_flag=True, help="Print one JSON object per line.")
@click.option("--events", is_flag=True, help="Replay, and print every event, too.")
@plugged.OPTION
@click.option("-o", "--output", "out", default="", metavar="OUT", help="To a file.")
@FORCE
def dumped(**options: Any) -> int:
    """Print what is in a recording: header, acts, hashes and annotations."""
    from lapis_tui.cli import session_tools  # noqa: PLC0415 - loads the engine

    return session_tools.dumped(**options)


@click.command("cut")
@BRANCH
@click.argument("piece", metavar="A:B")
@OUT
@FORCE
@plugged.OPTION
def cutting(**options: Any) -> int:
    """Keep what was done up to B, and what is noted from A on.

    A and B are instruction counts, #EVENT, actN, start or end. The acts before A stay,
    since nothing after it can be computed without them.
    """
    from lapis_tui.cli import session_tools  # noqa: PLC0415 - loads the engine

    return session_tools.cutting(**options)


@click.command("pack")
@FILE
@OUT
@FORCE
def packing(**options: Any) -> int:
    """Make a recording ready to travel: the image within, runs in one piece."""
    from lapis_tui.cli import session_tools  # noqa: PLC0415 - loads the engine

    return session_tools.packing(**options)


@click.command("annotate")
@BRANCH
@click.argument("text")
@click.option("--at", required=True, metavar="WHERE", help="COUNT, actN, start, end.")
@click.option("--ask", default="", metavar="TEXT", help="A question for the reader.")
@click.option("--answer", default="", metavar="TEXT", help="The answer to it.")
@click.option(
    "-o", "--output", "out", default="", metavar="OUT", help="A copy; else FILE itself."
)
@FORCE
def annotating(**options: Any) -> int:
    """Add TEXT to a recording, at an instruction count or after an act."""
    from lapis_tui.cli import session_tools  # noqa: PLC0415 - loads the engine

    return session_tools.annotating(**options)


@click.command("export")
@BRANCH
@click.argument("word", metavar="[FORM]", required=False, default="")
@click.option("--form", default="", metavar="FORM", help="The same as the argument.")
@click.option("-o", "--output", "out", default="", metavar="OUT", help="File.")
@FORCE
@plugged.OPTION
@click.option(
    "--by-reference", is_flag=True, help="A test names the recording, and holds none."
)
def exporting(**options: Any) -> int:
    """Write a recording for another program; without FORM, list the forms.

    perfetto: a trace for ui.perfetto.dev; asciicast: a film for asciinema; script:
    lines for lapis exec --script; pytest: a test that passes while the replay does the
    same. Plug-ins may have more.
    """
    from lapis_tui.cli import session_tools  # noqa: PLC0415 - loads the engine

    return session_tools.exporting(**options)


@click.command("diff", epilog=statuses.epilog("session diff"))
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False, default="")
@click.option(
    "--branch", default="", metavar="NAME", help="Compare A with this branch of it."
)
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def difference(**options: Any) -> int:
    """Show where two recordings first differ; the status is 1 if they do.

    A and B are files, or FILE@BRANCH for another branch of it than the first.
    """
    from lapis_tui.cli import compare  # noqa: PLC0415 - loads the engine

    return compare.difference(**options)


@click.command(epilog=statuses.epilog("session info"))
@FILE
@JSON
def info(**options: Any) -> int:
    """Describe a recording."""
    from lapis_tui.cli import recordings  # noqa: PLC0415 - loads the engine

    return recordings.info(**options)


@click.command("verify", epilog=statuses.epilog("session verify"))
@FILE
@plugged.OPTION
@cli_options.MEMORY_LIMIT
@JSON
def verify_file(**options: Any) -> int:
    """Replay a recording and compare every hash; the status is 1 if one differs."""
    from lapis_tui.cli import recordings  # noqa: PLC0415 - loads the engine

    return recordings.verify_file(**options)
