"""Linear memory looked at without a trace, in the place of what sets A bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.errors import UnmappedError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.memory.physical import PhysicalMemory


class QuietBus(OpenBus):
    """What is not there reads as all ones; a write is none."""

    __slots__ = ("_memory", "_peeked")

    def __init__(self, linear: Linear, memory: PhysicalMemory) -> None:
        """See `memory` by the tables of `linear`."""
        super().__init__(linear)
        self._peeked, self._memory = linear, memory

    def read(self, at: int, size: int, *, user: bool = False) -> int:  # noqa: ARG002 - as there
        """Return `size` bytes as an integer."""
        return int.from_bytes(self.stretch(at, size), "little")

    def stretch(self, at: int, size: int) -> bytes:
        """Return `size` bytes."""
        found = b""
        while len(found) < size:
            place = at + len(found)
            some = min(size - len(found), PAGE - place % PAGE)
            found += self._piece(self._peeked.peek(place), some)
        return found

    def _piece(self, gpa: int | None, size: int) -> bytes:
        try:
            return b"\xff" * size if gpa is None else self._memory.read(gpa, size)
        except UnmappedError:
            return b"\xff" * size

    def write(self, at: int, size: int, value: int, *, user: bool = False) -> None:
        """Store nothing."""

    def check_write(self, at: int, size: int) -> None:
        """Raise nothing."""
