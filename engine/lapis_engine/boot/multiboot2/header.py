"""The header of a Multiboot 2 kernel, and what its tags want.

Source: Multiboot2 Specification 2.0, "OS image format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.bits import bit
from lapis_engine.boot.kernel import Addresses
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = 0xE852_50D6
SEARCHED: Final = 32768
"""The header is within these first bytes, 8-aligned."""
FIXED_SIZE: Final = 16
I386: Final = 0
"""Architecture: 32-bit protected mode of x86."""

OPTIONAL: Final = bit(0)
"""Tag flag: a loader may do without."""
END: Final = 0
INFORMATION: Final = 1
ADDRESS: Final = 2
ENTRY: Final = 3
CONSOLE: Final = 4
FRAMEBUFFER: Final = 5
MODULE_ALIGNMENT: Final = 6
EFI_ENTRY_32: Final = 8
EFI_ENTRY_64: Final = 9
RELOCATABLE: Final = 10

IGNORED: Final = {FRAMEBUFFER, MODULE_ALIGNMENT, EFI_ENTRY_32, EFI_ENTRY_64}
"""What asks for nothing here: the mode of a framebuffer is a preference, modules are
always at pages, and nobody is started by EFI."""
LAST_INFORMATION: Final = 21
"""Highest type of an information tag that the specification knows."""
CONSOLE_REQUIRED: Final = bit(0)
TEXT_SUPPORTED: Final = bit(1)
WHOLE_FILE: Final = 0xFFFF_FFFF
"""Load address of a kernel of which nothing before the header is left out."""


class Tag(NamedTuple):
    """A header tag."""

    kind: int
    flags: int
    body: bytes


class Relocation(NamedTuple):
    """Where a relocatable kernel may be."""

    first: int
    last: int
    """Highest address that its last byte may have."""
    align: int


@dataclass(frozen=True, slots=True)
class Wants:
    """What of a header a loader acts on."""

    addresses: Addresses | None = None
    entry: int | None = None
    """Physical address of the entry point."""
    range: Relocation | None = None


def find(data: bytes) -> int | None:
    """Return the offset of the file's multiboot 2 header, or None."""
    window, magic = data[:SEARCHED], struct.pack("<I", MAGIC)
    at = window.find(magic)
    while at >= 0:
        if at % 8 == 0 and at + FIXED_SIZE <= len(window):
            words = struct.unpack_from("<4I", window, at)
            if not sum(words) & 0xFFFF_FFFF:
                return at
        at = window.find(magic, at + 1)
    return None


def read(data: bytes, at: int) -> Wants:
    """Read the header at offset `at`; raise `ImageError` for what cannot be given."""
    _, architecture, length, _ = struct.unpack_from("<4I", data, at)
    if architecture != I386:
        raise ImageError(
            f"the multiboot 2 kernel is for architecture {architecture}, not for x86"
        )
    tags = {tag.kind: tag for tag in _tags(data[at : at + length])}
    for tag in tags.values():
        _check(tag)
    entry = None
    if ENTRY in tags:
        (entry,) = _fields(tags[ENTRY], "<I")
    found = (
        Relocation(*_fields(tags[RELOCATABLE], "<3I")) if RELOCATABLE in tags else None
    )
    if ADDRESS not in tags:
        return Wants(None, entry, found)
    if entry is None:
        raise ImageError("the multiboot 2 header has addresses, but no entry point")
    header, load, load_end, bss_end = _fields(tags[ADDRESS], "<4I")
    if load == WHOLE_FILE:
        load = header - at
    return Wants(Addresses(header, load, load_end, bss_end, entry), entry)


def _tags(header: bytes) -> Iterator[Tag]:
    """Yield the tags up to the one that ends them."""
    at = FIXED_SIZE
    while at + 8 <= len(header):
        kind, flags, size = struct.unpack_from("<HHI", header, at)
        if size < 8 or at + size > len(header):
            raise ImageError(f"tag {kind} of the multiboot 2 header is damaged")
        if kind == END:
            return
        yield Tag(kind, flags, header[at + 8 : at + size])
        at += -(-size // 8) * 8
    raise ImageError("the multiboot 2 header does not end")


def _check(tag: Tag) -> None:
    """Raise `ImageError` for a tag that wants what there is not."""
    if tag.flags & OPTIONAL or tag.kind in IGNORED:
        return
    match tag.kind:
        case _ if tag.kind in (ADDRESS, ENTRY, RELOCATABLE):
            return
        case _ if tag.kind == INFORMATION:
            whole = tag.body[: len(tag.body) // 4 * 4]
            unknown = [
                i for (i,) in struct.iter_unpack("<I", whole) if i > LAST_INFORMATION
            ]
            if unknown:
                raise ImageError(
                    f"the multiboot 2 kernel requires information {unknown[0]}, which "
                    f"is unknown"
                )
        case _ if tag.kind == CONSOLE:
            (flags,) = _fields(tag, "<I")
            if flags & CONSOLE_REQUIRED and not flags & TEXT_SUPPORTED:
                raise ImageError(
                    "the multiboot 2 kernel requires a framebuffer; there is only text"
                )
        case _:
            raise ImageError(
                f"the multiboot 2 kernel requires feature {tag.kind}, which there is "
                f"not"
            )


def _fields(tag: Tag, layout: str) -> tuple[int, ...]:
    if len(tag.body) < struct.calcsize(layout):
        raise ImageError(f"tag {tag.kind} of the multiboot 2 header is damaged")
    return struct.unpack_from(layout, tag.body)
