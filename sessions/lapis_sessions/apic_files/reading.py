"""Reading a file that holds a local APIC, whichever of the formats it is of."""

from __future__ import annotations

from lapis_sessions import guests
from lapis_sessions.apic_files import document, page, qemu
from lapis_sessions.apic_files.contents import OUR_FORMAT, ApicFileError, Contents

MOST = 1 << 20
"""Bytes of the largest file that is looked at."""


def read(path: str) -> Contents:
    """Read a file.

    Raises `GuestError` when it cannot be had, `ApicFileError` when it is of none of
    the formats or damaged, `RecordError` for a field of our own format.
    """
    data = guests.read_file(path, MOST, "APIC file")
    text = _text(data)
    if text is not None and text.lstrip().startswith("{"):
        return document.read(path, text)
    if text is not None and qemu.is_dump(text):
        return qemu.read(path, text)
    if text is None and len(data) in page.FORMATS:
        return page.read(path, data)
    sizes = " or ".join(str(size) for size in page.FORMATS)
    raise ApicFileError(
        f"APIC file {path!r} ({len(data)} bytes) is neither JSON of format "
        f"{OUR_FORMAT}, nor the text of QEMU's `info lapic`, nor a raw page of {sizes} "
        f"bytes"
    )


def _text(data: bytes) -> str | None:
    """Return the file as text; None when it is none, as a page, full of zeros, is."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
