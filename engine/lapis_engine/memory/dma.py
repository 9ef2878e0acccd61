"""Memory as a bus master reaches it: RAM, and no device.

A device that reads or writes it does so within an access or a deadline of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import UnmappedError

if TYPE_CHECKING:
    from lapis_engine.memory.physical import PhysicalMemory


class BusMaster:
    """The memory of one machine, for its devices (`device.Dma`)."""

    __slots__ = ("_memory",)

    def __init__(self, memory: PhysicalMemory) -> None:
        """Reach `memory`."""
        self._memory = memory

    def read(self, gpa: int, size: int) -> bytes | None:
        """Return `size` bytes, or None where not all of them are memory."""
        try:
            return self._memory.read(gpa, size)
        except UnmappedError:
            return None

    def write(self, gpa: int, data: bytes) -> bool:
        """Store `data`, all or nothing; tell whether all of it is RAM."""
        return self._store(gpa, data, force=False)

    def program(self, gpa: int, data: bytes) -> bool:
        """Store `data` in ROM, which is for flash; tell whether it is all memory."""
        return self._store(gpa, data, force=True)

    def _store(self, gpa: int, data: bytes, *, force: bool) -> bool:
        try:
            self._memory.write(gpa, data, force=force)
        except UnmappedError:
            return False
        return True
