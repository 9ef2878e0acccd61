"""`lapis tui` and `lapis exec`: a guest, with a terminal and without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError
from lapis_sessions import files
from lapis_tui import ending, recent, scripts, statuses
from lapis_tui.cli import completing, configured, headless, plugged, screen
from lapis_tui.cli import options as cli_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session

RECORD_OPTIONS: tuple[cli_options.Decorator, ...] = (
    cli_options.SEED,
    click.option(
        "--record",
        default="",
        metavar="FILE",
        shell_complete=completing.files,
        help="Record to FILE.",
    ),
    cli_options.MEMORY_LIMIT,
    click.option("--force", is_flag=True, help="Replace FILE if it is there."),
    click.option(
        "--by-reference",
        is_flag=True,
        help="Do not put the image, or what comes with it, into the recording.",
    ),
    configured.OPTION,
)


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that describe a machine."""
    return cli_options.decorated(function, cli_options.MACHINE_OPTIONS + RECORD_OPTIONS)


def _open_only(options: Mapping[str, Any], extensions: Extensions) -> Session:
    from lapis_sessions.opening import open_session  # noqa: PLC0415 - loads the engine
    from lapis_sessions.origin import SessionOptions  # noqa: PLC0415 - the same

    return open_session(SessionOptions(**options), extensions)


def opened(options: dict[str, Any], extensions: Extensions) -> Session:
    """Open the session that the options of a machine describe; raise `LapisError`."""
    record = options.pop("record")
    force, by_reference = options.pop("force"), options.pop("by_reference")
    size = options.pop("memory_limit")
    session = configured.opened(options, extensions, _open_only)
    cli_options.limit(session, size)
    if record:
        from lapis_sessions.recording.start import start_recording  # noqa: PLC0415 - the same

        start_recording(session, record, force=force, embed=not by_reference)
    return session


@click.command()
@machine_options
@screen.looks
def tui(theme: str | None, is_ascii: bool | None, **options: Any) -> int:  # noqa: FBT001 - click passes it by name
    """Start the debugger on a terminal (also without the word `tui`)."""
    try:
        screen.need("use: lapis exec")
    except ConfigError:
        opened(options | {"record": ""}, plugged.extensions())  # what else is wrong
        raise
    extensions = plugged.unheard().extensions
    with ending.listening() as end:
        session = opened(options, extensions)
        if options["guest"]:
            recent.remember(options["guest"])
        return screen.show(session, end, theme, is_ascii=is_ascii)


@click.command("exec", epilog=statuses.epilog("exec"))
@machine_options
@click.option("-c", "commands", multiple=True, metavar="CMD", help="Do this command.")
@click.option(
    "--script",
    default="",
    metavar="FILE",
    shell_complete=completing.files,
    help="Then do the lines of FILE, - is stdin.",
)
@click.option(
    "--console",
    default="",
    metavar="stdio",
    help="Then run, with COM1 on standard input and output; Ctrl-] ends that.",
)
@click.option(
    "--sarif",
    default="",
    metavar="OUT",
    shell_complete=completing.files,
    help="In the end write what the lints found to OUT, for code scanning in CI.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per command."
)
def execute(
    commands: Sequence[str],
    script: str,
    console: str,
    sarif: str,
    as_json: bool,  # noqa: FBT001 - click passes it by name
    **options: Any,
) -> int:
    """Do commands without a terminal."""
    _check_console(console, script, as_json=as_json)
    lines = [*commands, *(scripts.script(script) if script else ())]
    if not lines and not console:
        raise click.UsageError(
            "there is nothing to do: give -c CMD, --script FILE or --console stdio"
        )
    if not any(options[each] for each in ("guest", "firmware", "disk", "initrd")):
        from lapis_sessions.origin import DEFAULT_GUEST  # noqa: PLC0415 - loads the engine

        raise click.UsageError(
            f"there is no guest: name one ({DEFAULT_GUEST}), a file, or --firmware FILE"
        )
    extensions = plugged.extensions()
    target = files.check(sarif, force=options["force"]) if sarif else None
    artifact = options["record"] or options["guest"]
    with ending.listening() as end:
        session = opened(options, extensions)
        with ending.closing(session, end):
            status = headless.perform(session, lines, end, as_json=as_json)
            if console and not end.asked:
                from lapis_tui.cli import stdio  # noqa: PLC0415 - rarely wanted

                status = max(status, stdio.perform(session, end))
            if target is not None:
                from lapis_sessions.recording.export.sarif import document  # noqa: PLC0415 - the same

                files.write(target, [document.log(session, artifact)])
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
