"""Reading a file that holds a local APIC, whichever of the formats it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions import guests
from lapis_sessions.apic_files import document, page, qemu
from lapis_sessions.apic_files.contents import OUR_FORMAT, ApicFileError, Contents
from lapis_sessions.extensions import ApicFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 1 << 20
"""Bytes of the largest file that is looked at."""


def read(path: str, formats: Sequence[ApicFormat]) -> Contents:
    """Read a file.

    Raises `GuestError` when it cannot be had, `ApicFileError` when it is of none of
    the formats or damaged, `RecordError` for a field of our own format.
    """
    data = guests.read_file(path, MOST, "APIC file")
    for each in formats:
        if each.takes(data):
            found: Contents = each.read(path, data)
            return found
    known = ", nor ".join(each.text for each in formats)
    raise ApicFileError(f"APIC file {path!r} ({len(data)} bytes) is neither {known}")


def _text(data: bytes) -> str | None:
    """Return the file as text; None when it is none, as a page, full of zeros, is."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_document(data: bytes) -> bool:
    text = _text(data)
    return text is not None and text.lstrip().startswith("{")


def _is_dump(data: bytes) -> bool:
    text = _text(data)
    return text is not None and qemu.is_dump(text)


def _page(size: int) -> ApicFormat:
    def takes(data: bytes) -> bool:
        return len(data) == size and _text(data) is None

    name = page.FORMATS[size]
    return ApicFormat(name, f"a raw page of {size} bytes", takes, page.read)


FORMATS: Final = (
    ApicFormat(
        OUR_FORMAT, f"JSON of format {OUR_FORMAT}", _is_document,
        lambda name, data: document.read(name, data.decode()),
    ),
    ApicFormat(
        "qemu", "the text of QEMU's `info lapic`", _is_dump,
        lambda name, data: qemu.read(name, data.decode()),
    ),
    *map(_page, page.FORMATS),
)  # fmt: skip
"""Ours, asked in this order."""
