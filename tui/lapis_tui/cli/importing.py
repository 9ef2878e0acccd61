"""`lapis import`: machines that run elsewhere, read and opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError
from lapis_tui import ending, output, scripts, statuses
from lapis_tui.cli import completing, configured, headless, plugged, screen
from lapis_tui.cli import options as cli_options
from lapis_tui.cli.lazy import Known, LazyGroup
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.monitor.opening import MachineReadView
    from lapis_sessions.session import Session

TIMEOUT = 5
MOST_TIMEOUT = 3600
KNOWN = (
    Known(
        "qemu", "importing", "qemu",
        "Read a paused QEMU by its monitor, and go on from there.",
    ),
)  # fmt: skip


@click.group("import", cls=LazyGroup, known=KNOWN)
def import_group() -> None:
    """Open machines that run elsewhere."""


OPTIONS: tuple[cli_options.Decorator, ...] = (
    click.option(
        "--qmp", required=True, metavar="SOCKET", shell_complete=completing.files,
        help="Where QEMU has its -qmp: the path of a socket, or HOST:PORT.",
    ),
    click.option(
        "--pause", is_flag=True,
        help="Pause the machine first; it stays paused. Else one that runs is refused.",
    ),
    click.option(
        "--timeout", type=NUMBER, default=TIMEOUT, show_default=True, metavar="S",
        help="Seconds within which each answer must come.",
    ),
    click.option(
        "--profile", shell_complete=completing.words(*completing.PROFILES),
        default="sdm", show_default=True,
        help="Whose behaviour; see `lapis profiles`.",
    ),
    click.option(
        "--cpu", shell_complete=completing.words("lapis", "base"),
        default="lapis", show_default=True, metavar="NAME",
        help="Model of the processor: lapis, or base for x86-64-v1.",
    ),
    click.option(
        "--quantum", type=NUMBER, default=10_000, show_default=True,
        help="Instructions of a vCPU's turn.",
    ),
    click.option(
        "-c", "commands", multiple=True, metavar="CMD", help="Do this command."
    ),
    click.option(
        "--script", default="", metavar="FILE", shell_complete=completing.files,
        help="Then do the lines of FILE, - is stdin.",
    ),
    click.option(
        "--record", default="", metavar="FILE", shell_complete=completing.files,
        help="Record to FILE, the machine as it was read with it.",
    ),
    click.option("--force", is_flag=True, help="Replace FILE if it is there."),
    cli_options.MEMORY_LIMIT,
    plugged.OPTION,
    click.option(
        "--json", "as_json", is_flag=True,
        help="Print JSON: an object per command, or without any what was read.",
    ),
    configured.OPTION,
)  # fmt: skip


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    return cli_options.decorated(function, OPTIONS)


@click.command("qemu", epilog=statuses.epilog("import qemu"))
@_options
@screen.looks
def qemu(
    commands: Sequence[str],
    script: str,
    theme: str | None,
    is_ascii: bool | None,  # noqa: FBT001 - click passes it by name
    as_json: bool,  # noqa: FBT001 - the same
    **options: Any,
) -> int:
    """Read a paused QEMU by its monitor, and go on from there.

    Taken are the registers of every vCPU, the local APICs, the IOAPIC, the 8259 pair
    and memory, of the machines pc and q35, under KVM or TCG; what cannot be read is
    listed. QEMU is left as it is. It must run on this machine and as the same user, as
    it writes its memory to files, which are read and deleted.

    With -c or --script commands are done without a terminal, with --json alone what was
    read is printed; else the debugger opens.
    """
    _check(options)
    lines = [*commands, *(scripts.script(script) if script else ())]
    is_headless = bool(lines) or as_json
    if not is_headless:
        screen.need("give -c CMD, --script FILE or --json")
    found = plugged.extensions() if is_headless else plugged.unheard().extensions
    with ending.listening() as end:
        session, seen = _opened(options, found)
        if not is_headless:
            _notice(session, seen)
            return screen.show(session, end, theme, is_ascii=is_ascii)
        with ending.closing(session, end):
            _say(seen, as_json=as_json and not lines)
            return headless.perform(session, lines, end, as_json=as_json)


def _check(options: Mapping[str, Any]) -> None:
    timeout = options["timeout"]
    if not 1 <= timeout <= MOST_TIMEOUT:
        raise ConfigError(f"--timeout {timeout}: 1 to {MOST_TIMEOUT} seconds")
    if options["force"] and not options["record"]:
        raise click.UsageError("--force goes with --record FILE")


def _opened(
    options: Mapping[str, Any], extensions: Extensions
) -> tuple[Session, MachineReadView]:
    """Read the machine and open its session; raise `LapisError`."""
    # They load the engine, which help has no use for.
    from lapis_sessions.monitor import opening, reading  # noqa: PLC0415
    from lapis_sessions.origin import SessionOptions, configuration  # noqa: PLC0415

    asked = SessionOptions(
        profile=options["profile"], cpu=options["cpu"], quantum=options["quantum"]
    )
    configuration(asked, extensions.profiles)
    found = reading.read(
        options["qmp"], options["timeout"], pause=options["pause"], cpu=options["cpu"]
    )
    session = opening.opened(found, asked, extensions)
    cli_options.limit(session, options["memory_limit"])
    configured.tell(session)
    if options["record"]:
        from lapis_sessions.recording.start import start_recording  # noqa: PLC0415

        start_recording(session, options["record"], force=options["force"])
    return session, opening.view(found)


def _say(seen: MachineReadView, *, as_json: bool) -> None:
    from lapis_sessions.monitor import opening  # noqa: PLC0415 - loads the engine

    if as_json:
        output.result(seen, opening.text, as_json=True)
    else:
        output.say(opening.text(seen), err=True)


def _notice(session: Session, seen: MachineReadView) -> None:
    """Have the debugger say what it shows, and what is missing."""
    session.notices += seen.remarks
    session.notices.append(  # the last one stays
        f"{seen.source}: {len(seen.left_out)} things could not be read and are as "
        f"after reset (--json lists them)"
    )
