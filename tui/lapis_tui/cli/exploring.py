"""The options of `lapis explore` and `lapis shrink`.

They are apart from what is done with them (`explored`), so that a shell completes them,
and help lists them, without the engine.
"""

from __future__ import annotations

from typing import Any

import click

from lapis_tui import statuses
from lapis_tui.cli import budget, completing, plugged
from lapis_tui.cli import options as cli_options
from lapis_tui.cli.numbers import NUMBER

IPIS = ("any", "as-sent", "delay", "drop")
"""What may be done to IPIs."""
LIMIT = 1_000_000
TRIES = 2_000
FOLDER = "lapis-explore"
"""Here as well as where they belong, for help that loads no engine."""
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
UNTIL = click.option(
    "--until", default="", metavar="EXPR", help="Look for what makes EXPR true."
)
LINT = click.option(
    "--lint", default="", metavar="NAME", help="Look for a finding of this lint."
)


@click.command(epilog=statuses.epilog("explore"))
@cli_options.machine
@click.option(
    "--schedules",
    type=NUMBER,
    default=1000,
    show_default=True,
    metavar="N",
    help="Runs at most.",
)
@click.option(
    "--bound",
    type=NUMBER,
    default=None,
    metavar="K",
    help="All schedules with at most K preemptions, not some at random.",
)
@click.option(
    "--seed",
    type=NUMBER,
    default=1,
    show_default=True,
    metavar="S",
    help="The same seed makes the same runs.",
)
@click.option(
    "-j",
    "--jobs",
    type=NUMBER,
    default=0,
    metavar="JOBS",
    help="Processes; as many as there are processors.",
)
@UNTIL
@LINT
@click.option(
    "--never", default="", metavar="EXPR", help="As --until, and it is a failure."
)
@click.option(
    "--never-lint", default="", metavar="NAME", help="As --lint, and it is a failure."
)
@budget.OPTION
@click.option(
    "--all", "go_on", is_flag=True, help="Do all runs even when it has come about."
)
@click.option(
    "--limit",
    type=NUMBER,
    default=LIMIT,
    show_default=True,
    metavar="COUNT",
    help="Instructions of a run; each turn counts as one more.",
)
@click.option(
    "--ipis",
    type=click.Choice(IPIS),
    default="any",
    show_default=True,
    help="What is done to IPIs in every other run.",
)
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="RULE",
    help="Answer requests: 'mmio 0xd0000000 = 0x1234'; see `help answer`.",
)
@click.option(
    "--out", default=FOLDER, show_default=True, metavar="DIR", help="For recordings."
)
@click.option("--force", is_flag=True, help="Use DIR even if it holds recordings.")
@click.option(
    "--dask", default="", metavar="ADDRESS", help="Use the workers of a Dask scheduler."
)
@JSON
def explore(**options: Any) -> int:
    """Run a guest many times, each under another interleaving of its vCPUs.

    Each run draws the lengths of its turns, may switch at each IPI, and in every other
    run IPIs are delayed or dropped. Of each distinct outcome one recording is kept, of
    a run with as little done to IPIs as possible.

    With --until or --lint it ends when that has come about, and the status is 1 if it
    never does. With --never or --never-lint the status is 1 if it has, 0 if it never
    does in all the runs, and 3 if it did not in fewer, as --budget ended it.

    With --bound all schedules with at most K preemptions are run, those with fewer
    first, and IPIs are as sent. A vCPU goes on until it halts, waits, spins on memory
    that does not change, or has done 10,000 instructions. A preemption lets another go
    on instead: before or behind an IPI that it sends, before it takes an interrupt or
    behind the first instruction of the handler, before HLT, and before each instruction
    that accesses RAM that vCPUs share, as the runs show. The rest is not covered:
    preemptions elsewhere, as within an instruction without LOCK, sharing by devices,
    page tables, descriptors or fetched code, IPIs that are late, and other moments of a
    timer. With --never the status is 3 where not all are run to the end.

    EXPR is looked at after each turn, and at the end, as in
    --until 'stop == "halted" and "done" not in console'. It can speak of stop, reason,
    running, halted, waiting, lints, console, retired, now, vcpu[N].state, .mode, .rip,
    .rax, .apic.irr and so on, and u8(ADDRESS) to u64(ADDRESS).
    """
    from lapis_tui.cli import explored  # noqa: PLC0415 - loads the engine

    return explored.explore(**options)


@click.command(epilog=statuses.epilog("shrink"))
@click.argument("file", shell_complete=completing.recordings)
@UNTIL
@LINT
@click.option(
    "--out", default="", metavar="FILE", help="The new recording; *-shrunk.lapis."
)
@click.option("--force", is_flag=True, help="Replace it if it is there.")
@click.option(
    "--tries",
    type=NUMBER,
    default=TRIES,
    show_default=True,
    metavar="N",
    help="Runs at most.",
)
@budget.OPTION
@plugged.OPTION
@JSON
def shrink(**options: Any) -> int:
    """Reduce a recording to the fewest switches between vCPUs that still do.

    EXPR is what has to come about in the end, as for `lapis explore`. What each vCPU
    does is moved and left out for as long as it does come about; the result is a new
    recording. FILE may be FILE@BRANCH.
    """
    from lapis_tui.cli import explored  # noqa: PLC0415 - loads the engine

    return explored.shrink(**options)
