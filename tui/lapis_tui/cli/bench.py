"""`lapis bench`: what is measured is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapis_tui import statuses
from lapis_tui.cli import headless

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(invoke_without_command=True, epilog=statuses.epilog("bench"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def bench(ctx: click.Context, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Measure the engine against plain Unicorn, or with `peers` against others.

    Each figure says what it stands beside. The status is 1 when a target is missed.
    """
    if ctx.invoked_subcommand is not None:
        return headless.OK
    from lapis_tui.bench.engine import main as measure  # noqa: PLC0415 - rarely wanted

    return headless.OK if measure(as_json=as_json) else headless.FAILED


@bench.command("peers")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_peers(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Run the same loops on Lapis, QEMU and Bochs by turns, and print the ratios.

    What is not installed is told as such, and what hangs is ended.
    """
    from lapis_tui.bench.against import main as measure  # noqa: PLC0415 - rarely wanted

    measure(as_json=as_json)
    return headless.OK


@bench.command("gdb", epilog=statuses.epilog("bench gdb"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_gdb(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Step in gdb, on Lapis and on QEMU by turns, and print how long that takes.

    What is not installed is told as such, and a step that does not return is given up.
    """
    from lapis_tui.bench.gdb import main as measure  # noqa: PLC0415 - rarely wanted

    return headless.OK if measure(as_json=as_json) else headless.FAILED


@bench.command("guests", epilog=statuses.epilog("bench guests"))
@click.argument("names", nargs=-1)
@click.option(
    "--at",
    default="build/guests",
    metavar="FOLDER",
    show_default=True,
    help="Where Debian's packages are unpacked; then where they are installed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_guests(names: Sequence[str], at: str, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Boot real guests: instructions, exits by kind, seconds, share of Python.

    The status is 1 when one was not there or did not come to its end.
    """
    from lapis_tui.bench.real import main as measure  # noqa: PLC0415 - rarely wanted

    return headless.OK if measure(names, at, as_json=as_json) else headless.FAILED


@bench.command("tui", epilog=statuses.epilog("bench tui"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_tui(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Measure the debugger: frames, keys, pauses, memory and starts.

    The status is 1 when a target is missed, as on a machine with other things to do.
    """
    from lapis_tui.bench.tui import main as measure  # noqa: PLC0415 - rarely wanted

    return headless.OK if measure(as_json=as_json) else headless.FAILED
