"""The form that all description tables of ACPI share: a header, and a sum of 0.

Source: ACPI Specification 6.4 "System Description Table Header".
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = 36
"""Bytes before a table's own."""
CHECKSUM: Final = 9
"""Offset in the header."""
OEM: Final = b"LAPIS "
OEM_TABLE: Final = b"LAPISPC "
OEM_REVISION: Final = 1
CREATOR: Final = b"LPIS"
CREATOR_REVISION: Final = 1


def summed(data: bytes, at: int) -> bytes:
    """Return `data` with the byte at `at` such that the sum of all is 0."""
    rest = sum(data) - data[at]
    return data[:at] + bytes((-rest & 0xFF,)) + data[at + 1 :]


def table(signature: str, revision: int, body: bytes) -> bytes:
    """Return a whole description table."""
    head = struct.pack(
        "<4sIBB6s8sI4sI",
        signature.encode(),
        HEADER + len(body),
        revision,
        0,
        OEM,
        OEM_TABLE,
        OEM_REVISION,
        CREATOR,
        CREATOR_REVISION,
    )
    return summed(head + body, CHECKSUM)
