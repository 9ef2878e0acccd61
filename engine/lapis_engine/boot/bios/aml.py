"""An assembler of ACPI machine language, for tables that describe and do not compute.

Every function returns the bytes of a term. Source: ACPI Specification 6.4 "AML Grammar
Definition"; the names of opcodes are its names.
"""

from __future__ import annotations

from typing import Final

ZERO_OP: Final = 0x00
ONE_OP: Final = 0x01
NAME_OP: Final = 0x08
BYTE_PREFIX: Final = 0x0A
WORD_PREFIX: Final = 0x0B
DWORD_PREFIX: Final = 0x0C
QWORD_PREFIX: Final = 0x0E
SCOPE_OP: Final = 0x10
BUFFER_OP: Final = 0x11
PACKAGE_OP: Final = 0x12
DUAL_NAME_PREFIX: Final = 0x2E
MULTI_NAME_PREFIX: Final = 0x2F
DEVICE_OP: Final = b"\x5b\x82"

SEGMENT: Final = 4
"""Characters of a name segment; a shorter one is filled up with underscores."""
MAX_ELEMENTS: Final = 255
PREFIXES: Final = ((BYTE_PREFIX, 1), (WORD_PREFIX, 2), (DWORD_PREFIX, 4))
LENGTH_SIZES: Final = ((1, 1 << 6), (2, 1 << 12), (3, 1 << 20))
"""(bytes of a PkgLength, the first length that they cannot hold)."""


def integer(value: int) -> bytes:
    """Return a constant of at most 64 bits, in as few bytes as hold it."""
    if value in (0, 1):
        return bytes((ONE_OP if value else ZERO_OP,))
    for prefix, size in PREFIXES:
        if value < 1 << 8 * size:
            return bytes((prefix,)) + value.to_bytes(size, "little")
    return bytes((QWORD_PREFIX,)) + value.to_bytes(8, "little")


def path(text: str) -> bytes:
    r"""Return a name as in ASL: segments with dots, ``\`` or ``^`` before them."""
    bare = text.lstrip("\\^")
    segments = [part.ljust(SEGMENT, "_") for part in bare.split(".") if part]
    prefix = text[: len(text) - len(bare)].encode()
    joined = "".join(segments).encode()
    if not segments:
        return prefix + b"\0"
    if len(segments) > 2:
        prefix += bytes((MULTI_NAME_PREFIX, len(segments)))
    elif len(segments) == 2:
        prefix += bytes((DUAL_NAME_PREFIX,))
    return prefix + joined


def measured(content: bytes) -> bytes:
    """Return `content` with the PkgLength before it, which counts itself."""
    size, total = next(
        (size, size + len(content))
        for size, first in LENGTH_SIZES
        if size + len(content) < first
    )
    if size == 1:
        return bytes((total,)) + content
    lead = (size - 1) << 6 | total & 0xF
    return bytes((lead,)) + (total >> 4).to_bytes(size - 1, "little") + content


def name(text: str, value: bytes) -> bytes:
    """Name a constant: ``Name (text, value)``."""
    return bytes((NAME_OP,)) + path(text) + value


def scope(text: str, *terms: bytes) -> bytes:
    """Open what has a name already: ``Scope (text) { terms }``."""
    return bytes((SCOPE_OP,)) + measured(path(text) + b"".join(terms))


def device(text: str, *terms: bytes) -> bytes:
    """Describe a device: ``Device (text) { terms }``."""
    return DEVICE_OP + measured(path(text) + b"".join(terms))


def package(*elements: bytes) -> bytes:
    """Return ``Package () { elements }``, at most 255 of them."""
    content = bytes((len(elements),)) + b"".join(elements)
    return bytes((PACKAGE_OP,)) + measured(content)


def buffer(content: bytes) -> bytes:
    """Return ``Buffer () { content }``."""
    return bytes((BUFFER_OP,)) + measured(integer(len(content)) + content)


def eisa_id(text: str) -> bytes:
    """Return ``EisaId (text)`` of three letters and four hexadecimal digits.

    Source: ACPI Specification 6.4 "EISAID (EISA ID String To Integer Conversion)".
    """
    a, b, c = (ord(letter) - ord("A") + 1 for letter in text[:3])
    value = a << 26 | b << 21 | c << 16 | int(text[3:], 16)
    swapped = int.from_bytes(value.to_bytes(4, "big"), "little")
    return bytes((DWORD_PREFIX,)) + swapped.to_bytes(4, "little")
