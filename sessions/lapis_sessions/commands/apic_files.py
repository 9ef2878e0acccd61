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
    """Read what a file describes, and put it onto vCPUs and devices."""
    only = bound.word("format") if "format" in bound else None
    formats = session.extensions.apic_formats
    described = reading.read(bound.word("file"), formats, only)
    number = bound.number("vcpu", session.selected) if "vcpu" in bound else None
    return placing.put_all(session, described, number, lenient="lenient" in bound)


COMMANDS = (
    Command(
        "apic export",
        "write the local APIC of a vCPU, and what is pending on it, to FILE",
        "mutating", export, view.exported_text,
        (FILE, Argument("vcpu", "vcpu"), Argument("force", "flag", option=True)),
    ),
    Command(
        "apic import",
        "put the APICs of FILE (an export, a dump, a paste) onto vCPUs, and its IOAPIC "
        "and 8259; --lenient makes version, id and mode fit",
        "mutating", put, view.imported_text,
        (
            FILE,
            Argument("vcpu", "vcpu", option=True),
            Argument("lenient", "flag", option=True),
            Argument("format", "word", option=True),
        ),
    ),
)  # fmt: skip
