"""The program `lapis`: one command line, one sentence for each thing wrong with it.

What needs a terminal library is imported where it is used, so that headless work loads
none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError, LapisError
from lapis_engine.machine.config import MachineConfig
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import DEFAULT_GUEST, SessionOptions
from lapis_sessions.recording.start import start_recording
from lapis_sessions.text.visible import visible
from lapis_sessions.views import platforms as views_machines
from lapis_sessions.views import profiles as views_profiles
from lapis_tui import ending, output
from lapis_tui.cli import (
    apic,
    compare,
    exploring,
    headless,
    plugged,
    recordings,
    scenarios,
    session_tools,
    stdio,
    streams,
    version,
)
from lapis_tui.cli import options as cli_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_plugins.plugin import Plugin
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session


class GuestGroup(click.Group):
    """A group whose first word may be a guest: then the subcommand is `tui`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `tui` before anything that names no subcommand."""
        own = {"--help", "-h", "--version"}
        if not args or (args[0] not in self.commands and args[0] not in own):
            args = ["tui", *args]
        return super().parse_args(ctx, args)


RECORD_OPTIONS: tuple[cli_options.Decorator, ...] = (
    cli_options.SEED,
    click.option("--record", default="", metavar="FILE", help="Record to FILE."),
    cli_options.MEMORY_LIMIT,
    click.option("--force", is_flag=True, help="Replace FILE if it is there."),
    click.option(
        "--by-reference",
        is_flag=True,
        help="Do not put the image, or what comes with it, into the recording.",
    ),
)


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that describe a machine."""
    return cli_options.decorated(function, cli_options.MACHINE_OPTIONS + RECORD_OPTIONS)


def _open(options: dict[str, Any], extensions: Extensions) -> Session:
    record = options.pop("record")
    force, by_reference = options.pop("force"), options.pop("by_reference")
    size = options.pop("memory_limit")
    session = open_session(SessionOptions(**options), extensions)
    cli_options.limit(session, size)
    if record:
        start_recording(session, record, force=force, embed=not by_reference)
    return session


@click.group(cls=GuestGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=version.tell,
    help="Show the version, and what is compiled.",
)  # fmt: skip
def lapis() -> None:
    """Step x86 vCPUs and their local APICs.

    `lapis [GUEST] [OPTIONS]` starts the debugger on a guest: an embedded one, an ELF or
    multiboot kernel, or a flat binary. See `lapis tui --help` for the options.
    """


@lapis.command()
@machine_options
def tui(**options: Any) -> int:
    """Start the debugger on a terminal (also without the word `tui`)."""
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not has_terminal:
        _open(options | {"record": ""}, plugged.extensions())
        raise ConfigError("the debugger needs a terminal; without one use: lapis exec")
    from lapis_tui.app import run_app  # noqa: PLC0415 - loads Textual

    extensions = discover(files=plugged.files()).extensions
    with ending.listening() as end:
        return run_app(_open(options, extensions), end)


@lapis.command("exec")
@machine_options
@click.option("-c", "commands", multiple=True, metavar="CMD", help="Do this command.")
@click.option(
    "--script",
    default="",
    metavar="FILE",
    help="Then do the lines of FILE, - is stdin.",
)
@click.option(
    "--console",
    default="",
    metavar="stdio",
    help="Then run, with COM1 on standard input and output; Ctrl-] ends that.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per command."
)
def execute(
    commands: Sequence[str],
    script: str,
    console: str,
    as_json: bool,  # noqa: FBT001 - click passes it by name
    **options: Any,
) -> int:
    """Do commands without a terminal.

    The exit status is 0 when all went well, 1 when a command failed, 2 when there was
    nothing to do it on.
    """
    _check_console(console, script, as_json=as_json)
    lines = [*commands, *(headless.script(script) if script else ())]
    if not lines and not console:
        raise click.UsageError(
            "there is nothing to do: give -c CMD, --script FILE or --console stdio"
        )
    if not any(options[each] for each in ("guest", "firmware", "disk", "initrd")):
        raise click.UsageError(
            f"there is no guest: name one ({DEFAULT_GUEST}), a file, or --firmware FILE"
        )
    extensions = plugged.extensions()
    with ending.listening() as end:
        session = _open(options, extensions)
        with ending.closing(session, end):
            status = headless.perform(session, lines, end, as_json=as_json)
            if console and not end.asked:
                status = max(status, stdio.perform(session, end))
            return status


def _check_console(console: str, script: str, *, as_json: bool) -> None:
    """Raise `UsageError` for a console that cannot be."""
    if console not in {"", "stdio"}:
        raise click.UsageError(f"console {console[:40]!r}: stdio is expected")
    if console and as_json:
        raise click.UsageError(
            "--console stdio and --json exclude each other: what a guest prints is not "
            "JSON"
        )
    if console and script == "-":
        raise click.UsageError(
            "--console stdio and --script - exclude each other: both read standard "
            "input"
        )


@lapis.group(invoke_without_command=True)
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


@bench.command("guests")
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


@lapis.group(invoke_without_command=True)
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every switch.")
@click.pass_context
def profiles(ctx: click.Context, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the profiles."""
    if ctx.invoked_subcommand is None:
        rows = views_profiles.profiles(plugged.extensions().profiles)
        output.result(rows, views_profiles.text, as_json=as_json)
    return headless.OK


@profiles.command("diff")
@click.argument("first")
@click.argument("second")
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def profiles_diff(
    first: str,
    second: str,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Show in which switches two profiles differ, and who says so."""
    known = plugged.extensions().profiles
    view = views_profiles.difference(known, first, second)
    output.result(view, views_profiles.difference_text, as_json=as_json)
    return headless.OK


@lapis.command()
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def machines(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the platforms that --machine takes."""
    rows = views_machines.machines(plugged.extensions().machines)
    output.result(rows, views_machines.text, as_json=as_json)
    return headless.OK


@lapis.command()
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the plug-ins: whence they come, what they implement, how they do.

    The status is 1 when one failed.
    """
    host = plugged.host()
    host.devices(MachineConfig())
    _ = host.extensions
    if as_json:
        output.data([plugin.to_dict() for plugin in host.plugins])
    else:
        output.say("\n".join(map(_listed, host.plugins)))
    return headless.FAILED if host.failures else headless.OK


def _listed(plugin: Plugin) -> str:
    kind = "built in"
    if not plugin.builtin:
        kind = f"{plugin.distribution or 'file'} {plugin.version or ''}".rstrip()
    state = "active" if plugin.why is None else f"disabled: {plugin.why}"
    hooks = " ".join(hook.removeprefix("lapis_") for hook in plugin.hooks)
    head = f"{visible(plugin.name):<12} {visible(kind):<20} {visible(plugin.origin)}"
    rows = (f"    {visible(row)}" for row in (hooks, state) if row)
    return "\n".join([head, *rows])


lapis.add_command(apic.apic)
lapis.add_command(recordings.replay)
for each in exploring.COMMANDS:
    lapis.add_command(each)
lapis.add_command(recordings.sessions)
lapis.add_command(scenarios.scenarios)
lapis.add_command(scenarios.scenario)
for command in (compare.difference, *session_tools.COMMANDS):
    recordings.sessions.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status. Says what is wrong in one sentence."""
    with streams.told():
        try:
            with streams.output():
                return _run(arguments)
        except streams.OutputError as error:
            if error.is_closed:
                return headless.CLOSED
            _refuse(f"standard output cannot be written: {error}")
            return headless.FAILED


def _run(arguments: Sequence[str] | None) -> int:
    try:
        version.choose_core()
        status = lapis.main(arguments, prog_name="lapis", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(" ".join(error.format_message().split("\n")))
    except LapisError as error:
        return _refuse(str(error))
    except MemoryError:
        return _refuse("there is no memory left for this")
    except (click.Abort, KeyboardInterrupt):
        return headless.BROKEN_OFF
    return int(status or headless.OK)


def _refuse(why: str) -> int:
    output.tell(why)
    return headless.USAGE
