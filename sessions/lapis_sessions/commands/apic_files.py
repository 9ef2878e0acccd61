"""Commands that write a local APIC to a file, and read one from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.apic_files import placing, reading, view
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_sessions.apic_files.view import ExportedView, ImportedView
    from lapis_sessions.session import Session

FILE = Argument("file", "word", required=True)


def export(session: Session, bound: Bound) -> ExportedView:
    """Write the APIC of a vCPU, with what is pending on it."""
    number = bound.number("vcpu", session.selected)
    return placing.save(session, bound.word("file"), number, force="force" in bound)


def put(session: Session, bound: Bound) -> ImportedView:
    """Read an APIC and put it onto a vCPU."""
    number = bound.number("vcpu", session.selected)
    contents = reading.read(bound.word("file"), session.extensions.apic_formats)
    return placing.put(session, contents, number, lenient="lenient" in bound)


COMMANDS = (
    Command(
        "apic export",
        "write the local APIC of a vCPU, and what is pending on it, to FILE",
        "mutating", export, view.exported_text,
        (FILE, Argument("vcpu", "vcpu"), Argument("force", "flag", option=True)),
    ),
    Command(
        "apic import",
        "put the APIC of FILE (ours, QEMU's info lapic, a raw page) onto a vCPU; "
        "--lenient makes version, id and mode fit",
        "mutating", put, view.imported_text,
        (
            FILE,
            Argument("vcpu", "vcpu", option=True),
            Argument("lenient", "flag", option=True),
        ),
    ),
)  # fmt: skip
