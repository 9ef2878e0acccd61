"""A local APIC from a file, put onto a session's machine; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions import files
from lapis_sessions.apic_files import document
from lapis_sessions.views import machine

if TYPE_CHECKING:
    from lapis_sessions.apic_files.contents import Contents
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def put(session: Session, contents: Contents, number: int, *, lenient: bool) -> Json:
    """Put `contents` onto vCPU `number`, and return what it became.

    What is foreign is always taken leniently. Raises `RecordError` naming field and
    reason, or `EngineError`; nothing is changed then.
    """
    said = session.machine.import_apic(
        number, contents.saved, contents.name, lenient=lenient or contents.is_foreign
    )
    return {
        "vcpu": number,
        "file": contents.name,
        "format": contents.format,
        "remarks": [*contents.remarks, *said],
        "apic": machine.apic(session.machine, number),
    }


def save(session: Session, path: str, number: int, *, force: bool) -> Json:
    """Write the APIC of a vCPU to `path`; raise `RecordingError` or `EngineError`."""
    found = document.of(session.machine, number)
    size = files.write(path, [document.encode(found)], force=force)
    head = {key: found[key] for key in ("format", "version", "vcpu", "now")}
    return {"file": path, "bytes": size, **head}
