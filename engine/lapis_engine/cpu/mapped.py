"""Guest-physical memory as one Unicorn instance has it mapped.

ROM is mapped as RAM and then protected: mapped as ROM, Unicorn would have a store go
into it whose page a load has looked up before.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING

from unicorn import UC_PROT_ALL, UC_PROT_EXEC, UC_PROT_READ, Uc, UcError

from lapis_engine.errors import ProcessorError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence

    from lapis_engine.memory.physical import Region


class Mapped:
    """What the processor reaches by itself. Who changes it drops the translations."""

    __slots__ = ("_hidden", "_regions", "_uc")
    __deletable__ = ("_uc",)  # by `close`; mypyc wants to know

    def __init__(self, uc: Uc) -> None:
        """Begin with nothing."""
        self._uc = uc
        self._regions: list[Region] = []
        self._hidden: list[tuple[int, int]] = []
        """(First address, bytes) of ROM that is read through reports."""

    def close(self) -> None:
        """Let go of all."""
        self._regions.clear()
        del self._uc

    def add(self, region: Region) -> None:
        """Map a region; raise `ProcessorError` when Unicorn does not."""
        self._map(region)
        self._regions.append(region)

    def _map(self, region: Region) -> None:
        try:
            self._uc.mem_map_ptr(
                region.gpa, region.size, UC_PROT_ALL, address(region.host)
            )
            if region.rom:
                self._protect(region.gpa, region.size)
        except UcError as error:
            raise ProcessorError(f"cannot map {region.name}: {error}") from error

    def _protect(self, gpa: int, size: int) -> None:
        self._uc.mem_protect(gpa, size, UC_PROT_READ | UC_PROT_EXEC)

    def replace(self, changes: Sequence[tuple[Region | None, Region | None]]) -> None:
        """Have the second of each pair where the first was; None is a hole."""
        for before, after in changes:
            if before is not None:
                self._uc.mem_unmap(before.gpa, before.size)
            if after is not None:
                self._map(after)

    def is_hidden(self, pages: list[tuple[int, int]]) -> bool:
        """Tell whether these pieces are hidden, and no others."""
        return pages == self._hidden

    def hide(self, pages: list[tuple[int, int]]) -> None:
        """Map these pieces of ROM no more, and those that were hidden before again."""
        for gpa, size in self._hidden:
            if (gpa, size) not in pages:
                self._unhide(gpa, size)
        for gpa, size in pages:
            if (gpa, size) not in self._hidden:
                self._uc.mem_unmap(gpa, size)
        self._hidden = pages

    def _unhide(self, gpa: int, size: int) -> None:
        region = next(each for each in self._regions if each.gpa <= gpa < each.end)
        pointer = address(region.host) + gpa - region.gpa
        self._uc.mem_map_ptr(gpa, size, UC_PROT_ALL, pointer)
        self._protect(gpa, size)


def address(host: mmap.mmap) -> int:
    """Return where host memory is."""
    return c.addressof(c.c_char.from_buffer(host))
