"""What `boot.bios` leaves, as a guest would read it: an address space of bytes."""

import itertools
import struct
from typing import Any

from lapis_engine.boot import bios
from lapis_engine.boot.request import BootRequest


class BiosMemory:
    """The blobs of a machine without firmware."""

    def __init__(self, cpus: int, memory: int = 64 << 20) -> None:
        self.left = bios.left(BootRequest(memory, cpus=cpus, machine="pc"))
        spans = sorted((blob.gpa, blob.end) for blob in self.left.blobs)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
        self._low = bytearray(1 << 20)
        for blob in self.left.blobs:
            self._low[blob.gpa : blob.end] = blob.data
        assert len(self._low) == 1 << 20, "it is all below 1 MiB"

    def read(self, gpa: int, size: int) -> bytes:
        assert gpa + size <= len(self._low)
        return bytes(self._low[gpa : gpa + size])

    def fields(self, layout: str, gpa: int) -> tuple[Any, ...]:
        return struct.unpack(
            "<" + layout, self.read(gpa, struct.calcsize("<" + layout))
        )

    def find(self, signature: bytes, first: int, end: int) -> int:
        """The first multiple of 16 where `signature` is, as who searches for it."""
        for gpa in range(first, end, 16):
            if self.read(gpa, len(signature)) == signature:
                return gpa
        raise AssertionError(f"there is no {signature!r}")
