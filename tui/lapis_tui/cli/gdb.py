"""The options of `lapis gdb`.

They are apart from what is done with them (`gdb_server`), so that a shell completes
them, and help lists them, without the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lapis_sessions.gdb.script import IN_GDB
from lapis_tui import output, statuses
from lapis_tui.cli import completing, running
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

OF_ANY: frozenset[str] = frozenset({"guest", "memory_limit"})
"""Options of a machine that a recording takes as well."""
ARCHITECTURES = ("auto", "x86-64", "i386", "i8086")
"""Here as well as where they belong, for help that loads no engine."""


def _show_file(ctx: click.Context, _param: click.Parameter, is_on: bool) -> None:  # noqa: FBT001 - as click calls it
    """Say where the file for gdb's Python is, and do nothing else."""
    if is_on and not ctx.resilient_parsing:
        output.say(f"{IN_GDB}")
        ctx.exit()


@click.command(epilog=statuses.epilog("gdb"))
@running.machine_options
@click.option(
    "--port",
    type=NUMBER,
    default=None,
    metavar="N",
    help="Port of the loopback, 1234 if nothing else is said; 0 takes any that is "
    "free.",
)
@click.option(
    "--socket",
    default="",
    metavar="PATH",
    shell_complete=completing.files,
    help="Listen on a socket of that name instead, which is yours alone.",
)
@click.option(
    "--stdio",
    is_flag=True,
    help="Serve who started this, on standard input and output: in gdb, "
    "target remote | lapis gdb GUEST --stdio",
)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURES),
    default=ARCHITECTURES[0],
    show_default=True,
    help="What gdb is told that the machine is.",
)
@click.option("--once", is_flag=True, help="End when the first client has left.")
@click.option(
    "-c", "commands", multiple=True, metavar="CMD", help="Do this command first."
)
@click.option(
    "--python",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_file,
    help="Say where the file is that gdb takes with `source`, so that it shows 16-bit "
    "code as such, and end.",
)
@click.pass_context
def gdb(
    ctx: click.Context,
    /,
    port: int | None,
    socket: str,
    stdio: bool,  # noqa: FBT001 - click passes it by name
    architecture: str,
    once: bool,  # noqa: FBT001 - the same
    commands: Sequence[str],
    **options: Any,
) -> int:
    """Serve a guest, or a recording, to gdb on this machine.

    It says what is to be typed in gdb, and serves one after the other until it is
    ended: what was done stays. Who comes can do all that commands of Lapis do in your
    name. A recording stands at its beginning, and is looked at alone until
    `monitor fork`.
    """
    ways = {"--port": port is not None, "--socket": bool(socket), "--stdio": stdio}
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    from lapis_tui.cli import gdb_server  # noqa: PLC0415 - loads the engine

    told = [
        option.opts[-1]
        for option in running.tui.params
        if option.name not in OF_ANY and _is_told(ctx, option.name or "")
    ]
    way = gdb_server.GdbDoor(port, socket, stdio, architecture)
    return gdb_server.serve(way, options, commands, told, is_once=once)


def _is_told(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
