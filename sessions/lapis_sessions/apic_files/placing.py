"""A local APIC from a file, put onto a session's machine; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions import files
from lapis_sessions.apic_files import document
from lapis_sessions.apic_files.view import ExportedView, ImportedView
from lapis_sessions.views import apic

if TYPE_CHECKING:
    from lapis_sessions.apic_files.contents import Contents
    from lapis_sessions.session import Session


def put(
    session: Session, contents: Contents, number: int, *, lenient: bool
) -> ImportedView:
    """Put `contents` onto vCPU `number`, and return what it became.

    What is foreign is always taken leniently. Raises `RecordError` naming field and
    reason, or `EngineError`; nothing is changed then.
    """
    said = session.machine.import_apic(
        number, contents.saved, contents.name, lenient=lenient or contents.is_foreign
    )
    return ImportedView(
        vcpu=number,
        file=contents.name,
        format=contents.format,
        remarks=(*contents.remarks, *said),
        apic=apic.of(session.machine, number),
    )


def save(session: Session, path: str, number: int, *, force: bool) -> ExportedView:
    """Write the APIC of a vCPU to `path`; raise `RecordingError` or `EngineError`."""
    found = document.of(session.machine, number)
    size = files.write(path, [document.encode(found)], force=force)
    return ExportedView(
        file=path,
        bytes=size,
        format=found["format"],
        version=found["version"],
        vcpu=found["vcpu"],
        now=found["now"],
    )
