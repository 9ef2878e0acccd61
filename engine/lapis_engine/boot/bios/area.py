"""The 64 KiB below 1 MiB as they are filled."""

from __future__ import annotations

from lapis_engine.boot.bios import places
from lapis_engine.boot.image import Blob
from lapis_engine.errors import ImageError


class Area:
    """What is at which address; pieces without an address go one behind the other."""

    def __init__(self) -> None:
        """Begin empty."""
        self._bytes = bytearray(places.END - places.FIRST)
        self._next = places.TABLES

    def put(self, gpa: int, data: bytes) -> None:
        """Put `data` at `gpa`."""
        at = gpa - places.FIRST
        self._bytes[at : at + len(data)] = data

    def add(self, data: bytes, align: int = 16) -> int:
        """Put `data` where there is room and return its guest-physical address.

        Raises:
            ImageError: There is none: the machine has some thousand processors.
        """
        gpa = -(-self._next // align) * align
        self._next = gpa + len(data)
        if self._next > places.TABLES_END:
            raise ImageError(
                f"a BIOS's tables end at {places.TABLES_END:#x}, and those of so many "
                f"processors at {self._next:#x}"
            )
        self.put(gpa, data)
        return gpa

    def blob(self) -> Blob:
        """Return all of it, as memory."""
        return Blob(places.FIRST, bytes(self._bytes))
