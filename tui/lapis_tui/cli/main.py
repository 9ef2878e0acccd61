"""The program `lapis`: one command line, one sentence for each thing wrong with it.

Each command is imported when it is called: to list and to complete them takes neither
the engine nor a terminal library, and headless work takes no terminal library.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from lapis_engine.errors import LapisError
from lapis_tui import output
from lapis_tui.cli import completing, headless, streams, version
from lapis_tui.cli.lazy import Known, LazyGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOWN = (
    Known(
        "apic", "apic", "apic",
        "Open local APICs that were saved, here or on another machine.",
    ),
    Known(
        "bench", "bench", "bench",
        "Measure the engine against plain Unicorn, or with `peers` against others.",
    ),
    Known(
        "commands", "finding", "commands",
        "List the commands of a session, or describe one.",
    ),
    Known(
        "completion", "completion", "completion",
        "Print the script by which bash, zsh or fish completes what is typed.",
    ),
    Known(
        "config", "config", "config",
        "Show what is configured: what applies, and who says so.",
    ),
    Known(
        "console", "console", "console",
        "Open a prompt for a guest: completion, history, and every command.",
    ),
    Known("docs", "docs", "docs", "Show the documentation: PAGE, or the first one."),
    Known("exec", "running", "execute", "Do commands without a terminal."),
    Known(
        "explore", "exploring", "explore",
        "Run a guest many times, each under another interleaving of its vCPUs.",
    ),
    Known(
        "gdb", "gdb", "gdb", "Serve a guest, or a recording, to gdb on this machine.",
    ),
    Known(
        "guests", "finding", "guests",
        "List the guests that come with Lapis, and those that were opened last.",
    ),
    Known("import", "importing", "import_group", "Open machines that run elsewhere."),
    Known("machines", "lists", "machines", "List the platforms that --machine takes."),
    Known(
        "man", "finding", "man",
        "Show the manual page, or print it where there is no terminal.",
    ),
    Known(
        "plugins", "lists", "plugins",
        "List the plug-ins: whence they come, what they implement, how they do.",
    ),
    Known("profiles", "lists", "profiles", "List the profiles."),
    Known(
        "replay", "replaying", "replay",
        "Open a recording, or a scenario by its name: in the debugger, or without one.",
    ),
    Known(
        "scenario", "replaying", "scenario",
        "Walk through a scenario: what happens, and how the machine looks then.",
    ),
    Known("scenarios", "scenarios", "scenarios", "List the scenarios of the gallery."),
    Known(
        "serve", "serving", "serve",
        "Serve the debugger to browsers on this machine, a session to each page.",
    ),
    Known(
        "session", "session", "session",
        "Look into recordings, prove them, and make others from them.",
    ),
    Known(
        "shrink", "exploring", "shrink",
        "Reduce a recording to the fewest switches between vCPUs that still do.",
    ),
    Known(
        "tui", "running", "tui",
        "Start the debugger on a terminal (also without the word `tui`).",
    ),
)  # fmt: skip
"""Every command: its module and what `lapis --help` says of it."""


class GuestGroup(LazyGroup):
    """A group whose first word may be a guest: then the subcommand is `tui`."""

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return the subcommands that begin so, and the guests."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found
        file = CompletionItem(incomplete, type="file")
        return [file, *found, *completing.guest_names(incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `tui` before anything that names no subcommand."""
        own = {"--help", "-h", "--version"}
        is_begun = ctx.resilient_parsing and not args  # a word that the shell completes
        if not is_begun and (not args or args[0] not in {*self.known, *own}):
            args = ["tui", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=GuestGroup,
    known=KNOWN,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=version.tell,
    help="Show the version, and what is compiled.",
)  # fmt: skip
def lapis() -> None:
    """Step x86 vCPUs and their local APICs.

    `lapis [GUEST] [OPTIONS]` starts the debugger on a guest: an embedded one, an ELF or
    multiboot kernel, or a flat binary. See `lapis tui --help` for the options.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status. Says what is wrong in one sentence."""
    if instruction := os.environ.get(completing.VARIABLE):
        return completing.answer(lapis, instruction)
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
