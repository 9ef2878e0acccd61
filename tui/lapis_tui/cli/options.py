"""The options by which a command describes a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lapis_engine.machine.config import QUANTUM
from lapis_sessions.text import numerals
from lapis_tui.cli import plugged
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from lapis_sessions.session import Session

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MACHINE_OPTIONS: tuple[Decorator, ...] = (
    click.argument("guest", required=False, default=""),
    click.option("--cpus", type=NUMBER, default=2, show_default=True, help="vCPUs."),
    click.option(
        "--memory", default="64M", show_default=True, help="RAM, as 64M or 1G."
    ),
    click.option(
        "--profile", default="sdm", show_default=True,
        help="Whose behaviour; see `lapis profiles`.",
    ),
    click.option(
        "--firmware", default="", metavar="FILE", help="ROM to start, no guest then."
    ),
    click.option(
        "--append", default="", metavar="TEXT", help="Command line for a kernel."
    ),
    click.option(
        "--quantum", type=NUMBER, default=QUANTUM, show_default=True,
        help="Instructions of a vCPU's turn.",
    ),
    click.option(
        "--cost", default="none", metavar="none|pc|firmware|KIND=NS,...",
        show_default=True,
        help="ns more that an access takes, of port, mmio, rdtsc, cpuid, msr.",
    ),
    click.option(
        "--tsc-hz", type=NUMBER, default=1_000_000_000, show_default=True,
        help="TSC ticks in a second of virtual time.",
    ),
    click.option(
        "--ports", default="", metavar="ask|float",
        help="What an unclaimed port does; firmware floats, guests ask.",
    ),
    click.option(
        "--cpu", default="lapis", show_default=True, metavar="NAME",
        help="Model of the processor: lapis, or base for x86-64-v1.",
    ),
    click.option(
        "--hypervisor", default="none", show_default=True, metavar="none|kvm|timing",
        help="What CPUID says of a hypervisor.",
    ),
    click.option(
        "--on-reset", default="stop", metavar="stop|reboot", show_default=True,
        help="What a reset or a triple fault does to the machine.",
    ),
    click.option(
        "--strict", is_flag=True,
        help="Check alignment and segment limits of memory operands, which is slow.",
    ),
    plugged.OPTION,
)  # fmt: skip
"""All of them; but for the plug-ins they are fields of `SessionOptions`."""

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
