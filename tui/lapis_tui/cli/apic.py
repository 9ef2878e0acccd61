"""`lapis apic import`: a local APIC from a file, opened and questioned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click
from msgspec import UNSET

from lapis_engine.apic import priority
from lapis_engine.errors import ConfigError
from lapis_engine.why import vector as why_vector
from lapis_sessions.apic_files import placing, reading, words
from lapis_sessions.apic_files.view import imported_text
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import why
from lapis_tui import ending, output, statuses
from lapis_tui.cli import headless, plugged
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.apic_files.contents import Described
    from lapis_sessions.apic_files.view import ImportedView
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session
    from lapis_sessions.views.why import VectorView

GUEST = "ipi-ping"
"""The smallest embedded guest: a machine wants one, and it is not run."""
FEWEST = 2
"""vCPUs, unless said otherwise, so that there is someone to send IPIs to."""
MEMORY = "64M"
MOST_WHY = 16
"""Pending vectors that are explained unasked, the highest of each vCPU first."""


@click.group("apic")
def apic() -> None:
    """Open local APICs that were saved, here or on another machine."""


@apic.command("import", epilog=statuses.epilog("apic import"))
@click.argument("file")
@click.option(
    "--vcpu",
    type=NUMBER,
    help="Put it onto this vCPU; else onto that which the file names, or 0.",
)
@click.option(
    "--cpus", type=NUMBER, help="vCPUs of the machine; else as many as needed."
)
@click.option(
    "--profile",
    default="",
    help="Whose behaviour; else that which the file names, or sdm.",
)
@click.option("--format", "only", help="Read it as this format; else by what is in it.")
@click.option("-c", "commands", multiple=True, metavar="CMD", help="Do this command.")
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_file(
    file: str,
    vcpu: int | None,
    cpus: int | None,
    profile: str,
    only: str | None,
    commands: Sequence[str],
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Put what FILE describes onto a machine that has not run, and ask about it.

    FILE is what `apic export` wrote, or comes from elsewhere: the text of QEMU's `info
    lapic`, `info pic` and `info irq`, of Linux with apic=debug (with /proc/interrupts
    beside it), of Xen's debug keys i and z, of `!apic`, `!ioapic` and `!pic` of Windows
    and HyperDbg, quoted and re-wrapped as it may be; a payload of propolis; or bytes: a
    raw page of 4 KiB, a LAPIC dump of KVM of 1 KiB, a record of bhyve of 200. Without
    -c the APIC is shown, and why each pending vector is where it is.
    """
    if vcpu is not None and vcpu < 0:
        raise ConfigError(f"--vcpu {vcpu}: at least 0")
    extensions = plugged.extensions()
    described = reading.read(file, extensions.apic_formats, only)
    session, view = _opened(described, extensions, vcpu, cpus, profile)
    if not commands:
        view = replace(view, why=_why(session, view))
        output.result(view, imported_text, as_json=as_json)
        return headless.OK
    for remark in view.remarks:
        output.tell(f"{file!r}: {remark}")
    with ending.listening() as end:
        return headless.perform(session, commands, end, as_json=as_json)


def _opened(
    described: Described,
    extensions: Extensions,
    vcpu: int | None,
    cpus: int | None,
    profile: str,
) -> tuple[Session, ImportedView]:
    """Open a machine of what was described, and no more."""
    apics = placing.chosen(described, vcpu)
    if len(apics) == 1 and vcpu is not None:
        apics = (replace(apics[0], vcpu=vcpu),)
    numbers = [each.vcpu or 0 for each in apics] or [vcpu or 0]
    options = SessionOptions(
        GUEST,
        cpus=max(*numbers, FEWEST - 1) + 1 if cpus is None else cpus,
        profile=profile or (apics[0].profile if apics else "") or "sdm",
        machine=placing.platform(described),
        memory=MEMORY,
        ports="ask",
        mmio="ask",
    )
    session = open_session(options, extensions)
    session.described = described = replace(described, apics=apics)
    placing.put_system(session, described, len(session.machine.vcpus))
    views = [
        placing.put(session, each, at, lenient=True)
        for each, at in zip(apics, numbers, strict=False)
    ]
    session.select(numbers[0])
    said = []
    if any(each.is_foreign for each in apics):
        said = ["the file has only the APIC: what the vCPU itself does is not known"]
    return session, placing.together(session, described, views, said)


def _why(session: Session, view: ImportedView) -> tuple[VectorView, ...]:
    """Answer for the highest vectors that are pending, CPU by CPU."""
    machine = session.machine
    numbers = [view.vcpu, *(() if view.also is UNSET else view.also)]
    pending = [
        (number, vector)
        for number in numbers
        for vector in reversed(priority.vectors(machine.vcpu(number).apic.irr))
    ]
    found = (
        why_vector.irq(machine, vector, number) for number, vector in pending[:MOST_WHY]
    )
    return tuple(words.told(session, why.vector(each)) for each in found)
