"""The options by which a command describes a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lapis_sessions.text import numerals
from lapis_tui.cli import completing, plugged
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from lapis_sessions.session import Session

ASKED = completing.words("ask", "float")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MACHINE_OPTIONS: tuple[Decorator, ...] = (
    click.argument(
        "guest", required=False, default="", shell_complete=completing.guests
    ),
    click.option("--cpus", type=NUMBER, default=2, show_default=True, help="vCPUs."),
    click.option(
        "--memory", default="", metavar="SIZE",
        help="RAM, as 64M or 1G; 64M on a bare machine, 256M on a PC.",
    ),
    click.option(
        "--machine", shell_complete=completing.words(*completing.MACHINES),
        default="", metavar="NAME",
        help="Platform, see `lapis machines`: pc for firmware and real kernels, bare "
        "for embedded guests.",
    ),
    click.option(
        "--profile", shell_complete=completing.words(*completing.PROFILES),
        default="sdm", show_default=True,
        help="Whose behaviour; see `lapis profiles`.",
    ),
    click.option(
        "--firmware", default="", metavar="FILE",
        shell_complete=completing.files, help="ROM to start, no guest then."
    ),
    click.option(
        "--append", default="", metavar="TEXT", help="Command line for a kernel."
    ),
    click.option(
        "--initrd", default="", metavar="FILE",
        shell_complete=completing.files, help="Initial RAM disk of a kernel."
    ),
    click.option(
        "--module", "modules", multiple=True, metavar="'FILE ARGS'",
        help="Module of a multiboot kernel; may be given again.",
    ),
    click.option(
        "--disk", default="", metavar="FILE", shell_complete=completing.files,
        help="What is on the disk at first; the file is never written.",
    ),
    click.option(
        "--flash-vars", default="", metavar="FILE", shell_complete=completing.files,
        help="Variables of the firmware at first; the file is never written.",
    ),
    click.option(
        "--quantum", type=NUMBER, default=10_000, show_default=True,
        help="Instructions of a vCPU's turn.",
    ),
    click.option(
        "--time", shell_complete=completing.words("fast", "board"),
        default="", metavar="fast|board",
        help="Named set of the next two; fast on a PC, where what is polled is dear.",
    ),
    click.option(
        "--cost", default=None, metavar="none|pc|firmware|board|KIND=NS,...",
        help="ns more that an access takes, of port, mmio, rdtsc, cpuid, msr; none on "
        "a bare machine.",
    ),
    click.option(
        "--tsc-hz", type=NUMBER, default=None,
        help="TSC ticks in a second of virtual time; 1,000,000,000 on a bare machine.",
    ),
    click.option(
        "--ports", shell_complete=ASKED,
        default="", metavar="ask|float",
        help="What an unclaimed port does; firmware and kernels of a PC float, other "
        "guests ask.",
    ),
    click.option(
        "--mmio", shell_complete=ASKED,
        default="", metavar="ask|float",
        help="What an unclaimed address does; on a PC as --ports, else it asks.",
    ),
    click.option(
        "--cpu", shell_complete=completing.words("lapis", "base"),
        default="lapis", show_default=True, metavar="NAME",
        help="Model of the processor: lapis, or base for x86-64-v1.",
    ),
    click.option(
        "--hypervisor", shell_complete=completing.words("none", "kvm", "timing"),
        default="none", show_default=True, metavar="none|kvm|timing",
        help="What CPUID says of a hypervisor.",
    ),
    click.option(
        "--on-reset", shell_complete=completing.words("stop", "reboot"),
        default="stop", metavar="stop|reboot", show_default=True,
        help="What a reset or a triple fault does to the machine.",
    ),
    click.option(
        "--checks", shell_complete=completing.words("off", "usual", "all"),
        default="usual", metavar="off|usual|all", show_default=True,
        help="Which memory operands have alignment and segment limits checked: none, "
        "those that cost nothing, or all, which is slow.",
    ),
    click.option("--strict", is_flag=True, help="The same as --checks all."),
    plugged.OPTION,
)  # fmt: skip
"""All of them; but for the plug-ins they are fields of `SessionOptions`, and have the
defaults of those: they are written here as well, for help that loads no engine."""

SEED: Decorator = click.option(
    "--seed", type=NUMBER, default=0, show_default=True,
    help="What the guest's source of random numbers begins with.",
)  # fmt: skip
"""One more of them; `explore` has a seed of its own."""

MEMORY_LIMIT: Decorator = click.option(
    "--memory-limit", default="", metavar="SIZE",
    help="Stop a run when the process takes more than SIZE of memory, as 512M.",
)  # fmt: skip


def limit(session: Session, size: str) -> None:
    """Keep a session's runs within `size`, if one is named; raise `ConfigError`."""
    if size:
        session.memory_limit = numerals.size(size, "--memory-limit")


def decorated(
    function: Callable[..., Any], options: tuple[Decorator, ...]
) -> Callable[..., Any]:
    """Give a command options, which its help lists in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def machine(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that describe a machine."""
    return decorated(function, MACHINE_OPTIONS)
