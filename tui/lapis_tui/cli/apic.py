"""`lapis apic import`: a local APIC from a file, opened and questioned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from lapis_engine.errors import ConfigError
from lapis_engine.why import vector as why_vector
from lapis_sessions.apic_files import placing, reading
from lapis_sessions.apic_files.view import imported_text
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import why
from lapis_tui import ending, output
from lapis_tui.cli import headless, plugged
from lapis_tui.cli.numbers import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session
    from lapis_sessions.views.why import VectorView

GUEST = "ipi-ping"
"""The smallest embedded guest: a machine wants one, and it is not run."""
FEWEST = 2
"""vCPUs, unless said otherwise, so that there is someone to send IPIs to."""
MOST_WHY = 16
"""Pending vectors that are explained unasked, the highest first."""


@click.group("apic")
def apic() -> None:
    """Open local APICs that were saved, here or on another machine."""


@apic.command("import")
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
@click.option("-c", "commands", multiple=True, metavar="CMD", help="Do this command.")
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_file(
    file: str,
    vcpu: int | None,
    cpus: int | None,
    profile: str,
    commands: Sequence[str],
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Put the APIC of FILE onto a machine that has not run, and ask about it.

    FILE is what `apic export` wrote, the text of QEMU's `info lapic`, a raw page of 4
    KiB or a LAPIC dump of KVM of 1 KiB. Without -c the APIC is shown, and why each
    pending vector is where it is.
    """
    if vcpu is not None and vcpu < 0:
        raise ConfigError(f"--vcpu {vcpu}: at least 0")
    extensions = plugged.extensions()
    contents = reading.read(file, extensions.apic_formats)
    number = (contents.vcpu or 0) if vcpu is None else vcpu
    options = SessionOptions(
        GUEST,
        cpus=max(number + 1, FEWEST) if cpus is None else cpus,
        profile=profile or contents.profile or "sdm",
    )
    session = open_session(options, extensions)
    view = placing.put(session, contents, number, lenient=True)
    session.select(number)
    if contents.is_foreign:
        remark = (
            f"the file has only the APIC: vCPU {number} itself is as after reset, with "
            f"RFLAGS.IF 0"
        )
        view = replace(view, remarks=(*view.remarks, remark))
    if not commands:
        view = replace(view, why=_why(session, number, view.apic.irr))
        output.result(view, imported_text, as_json=as_json)
        return headless.OK
    for remark in view.remarks:
        output.tell(f"{file!r}: {remark}")
    with ending.listening() as end:
        return headless.perform(session, commands, end, as_json=as_json)


def _why(
    session: Session, number: int, pending: Sequence[int]
) -> tuple[VectorView, ...]:
    machine = session.machine
    highest = sorted(pending, reverse=True)[:MOST_WHY]
    found = (why_vector.irq(machine, vector, number) for vector in highest)
    return tuple(map(why.vector, found))
