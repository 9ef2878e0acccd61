"""`lapis serve`: the debugger for browsers on this machine."""

from __future__ import annotations

import asyncio
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from lapis_engine.errors import ConfigError
from lapis_sessions.text.numerals import shown
from lapis_tui import ending, output
from lapis_tui.cli import configured, plugged, running, screen
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOPBACK: Final = {"127.0.0.1", "localhost"}
LAST_PORT: Final = 0xFFFF
MOST_VISITORS: Final = 64


@click.command()
@running.machine_options
@screen.looks
@click.option(
    "--port",
    type=NUMBER,
    default=0,
    show_default=True,
    metavar="N",
    help="Port to serve on; 0 takes any that is free.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The loopback, and no other.",
)
@click.option(
    "--visitors",
    type=NUMBER,
    default=8,
    show_default=True,
    metavar="N",
    help="How many there may be at a time.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open a browser on it as well.")
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    port: int,
    host: str,
    visitors: int,
    is_opened: bool,  # noqa: FBT001 - click passes it by name
    **options: Any,
) -> int:
    """Serve the debugger to browsers on this machine, a session to each page.

    It prints an address with a token. Whoever knows it can do what commands of Lapis
    do in your name, as to write files. A session ends with its page. `--record
    run.lapis` records the first visitor to run-1.lapis, the second to run-2.lapis.
    """
    _check(host, port, visitors)
    try:
        from lapis_tui.browser import server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"to serve pages takes {error.name}, which is not installed: "
            "pip install 'lapis[serve]'"
        ) from None
    _try(options)
    offer = server.Offer(f"lapis {options['guest']}".rstrip(), passed_on(ctx), visitors)
    with ending.listening() as end:
        made = server.listening_on(port)
        asyncio.run(server.serve(made, offer, end, lambda at: _welcome(at, is_opened)))
        return end.status if end.asked else 0


def _check(host: str, port: int, visitors: int) -> None:
    """Raise `ConfigError` for what cannot be."""
    if host not in LOOPBACK:
        raise ConfigError(
            f"--host {shown(host)}: only 127.0.0.1 is served; from elsewhere come by a "
            "tunnel, as ssh -L PORT:127.0.0.1:PORT"
        )
    if not 0 <= port <= LAST_PORT:
        raise ConfigError(f"--port {port}: 0 to {LAST_PORT} is expected")
    if not 1 <= visitors <= MOST_VISITORS:
        raise ConfigError(f"--visitors {visitors}: 1 to {MOST_VISITORS} is expected")


def _try(options: dict[str, Any]) -> None:
    """Open what each visitor is to get, and close it; raises `LapisError`."""
    looks = {"theme", "is_ascii"}
    machine = {name: value for name, value in options.items() if name not in looks}
    running.opened(machine | {"record": ""}, plugged.extensions()).close(intact=True)


def passed_on(ctx: click.Context) -> Callable[[int], list[str]]:
    """Return what the nth visitor's `lapis` is given, by what this one was."""
    guest, given = ctx.params["guest"], _given(ctx, running.tui)
    return lambda number: _arguments(guest, given, number)


def _given(ctx: click.Context, command: click.Command) -> dict[str, list[str] | None]:
    """Return what this command line says of the options of `command`, by long name.

    None is for one that has no value.
    """
    found: dict[str, list[str] | None] = {"--plugin": list(plugged.files())}
    file = configured.config().file
    if file is not None and _is_given(ctx, "config"):
        found["--config"] = [file]
    for option in command.params:
        name = option.name or ""
        if (
            isinstance(option, click.Option)
            and name in ctx.params
            and _is_given(ctx, name)
        ):
            value = ctx.params[name]
            if option.is_flag:
                found[(option.opts if value else option.secondary_opts)[0]] = None
            else:
                values = value if option.multiple else [value]
                found[option.opts[0]] = [str(each) for each in values]
    return found


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _arguments(
    guest: str, given: Mapping[str, list[str] | None], number: int
) -> list[str]:
    """Return the arguments of `lapis` for the visitor of this number."""
    found = ["tui"]
    for option, values in given.items():
        if values is None:
            found.append(option)
        elif option == "--record":
            path = Path(values[0])
            found.append(f"{option}={path.with_stem(f'{path.stem}-{number}')}")
        else:
            found += [f"{option}={value}" for value in values]
    return [*found, "--", guest] if guest else found


def _welcome(address: str, is_opened: bool) -> None:  # noqa: FBT001 - of a callback
    """Say where it is; open a browser there, if that is wanted."""
    output.say(address)
    sys.stdout.flush()
    output.tell("each page there is a session of its own; Ctrl-C ends them all")
    if is_opened:  # apart, for it may last as long as the browser does
        threading.Thread(target=_open, args=(address,), daemon=True).start()


def _open(address: str) -> None:
    if not webbrowser.open(address):
        output.tell("there is no browser to open")
