"""One instruction carried out by the processor on memory that is lent to it.

A device has no memory. To let the processor itself do what an instruction does to one,
its pages become memory for the length of that instruction, filled with what the device
was found to hold. Accesses to them are written down, and what other memory held before
it was written, so that the instruction can be done over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from unicorn import (
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_WRITE,
    UC_MEM_WRITE,
    UC_PROT_ALL,
    UC_PROT_EXEC,
    UC_PROT_READ,
    UC_PROT_WRITE,
    UcError,
)

from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from unicorn import Uc

SIZES: Final = (8, 4, 2, 1)
"""Bytes of one access to a device, the largest first."""


class Touch(NamedTuple):
    """An access to a lent page, or that part of one which lies in it."""

    gpa: int
    size: int
    """1, 2, 4 or 8."""
    write: bool
    value: int
    """What is written; 0 for a read."""


class Loan:
    """Pages of memory, by guest-physical address, for the length of a `with`.

    The processor tells of an access by its guest-physical address. Of one that crosses
    into another page it tells nothing about that page, which is why `beyond` is asked.
    """

    def __init__(
        self,
        uc: Uc,
        holes: Mapping[int, bytes],
        roms: Mapping[int, bytes],
        beyond: Callable[[int], int | None],
    ) -> None:
        """Lend `holes`, and make `roms` writable.

        Both map a page's address to its 4096 bytes; a ROM has them again afterwards.
        `beyond` returns the gpa of the page that follows the one of an access at a gpa.
        """
        self._uc = uc
        self._holes, self._roms = holes, roms
        self._beyond = beyond
        self._hook = 0
        self._seen: list[tuple[int, int, bool]] = []
        self.touches: list[Touch] = []
        """Every access to the lent pages, in order; complete once they are back."""
        self.before: list[tuple[int, bytes]] = []
        """What other memory held where it was written: (gpa, bytes), in order."""
        self.accesses: list[tuple[int, int, bool]] = []
        """All of them as they were made: (gpa, bytes, write)."""
        self.elsewhere = False
        """Other memory was read or written as well."""

    def __enter__(self) -> Loan:
        """Lend them."""
        uc = self._uc
        for gpa, content in self._holes.items():
            uc.mem_map(gpa, PAGE, UC_PROT_READ | UC_PROT_WRITE)
            uc.mem_write(gpa, content)
        for gpa in self._roms:
            uc.mem_protect(gpa, PAGE, UC_PROT_ALL)
        kinds = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
        self._hook = uc.hook_add(kinds, self._on_access)
        return self

    def __exit__(self, *_: object) -> None:
        """Take them back."""
        uc = self._uc
        uc.hook_del(self._hook)
        for gpa, size, write in self._seen:
            # What the processor tells of a value is not yet in the order of memory.
            value = int.from_bytes(uc.mem_read(gpa, size), "little") if write else 0
            self.touches.append(Touch(gpa, size, write, value))
        for gpa in self._holes:
            uc.mem_unmap(gpa, PAGE)
        for gpa, content in self._roms.items():
            uc.mem_write(gpa, content)
            uc.mem_protect(gpa, PAGE, UC_PROT_READ | UC_PROT_EXEC)

    def over(self) -> None:
        """Take no account of what was accessed so far: the instruction starts anew.

        What other memory held stays written down, for the first account of it is the
        true one.
        """
        self._seen.clear()
        self.accesses.clear()

    def _on_access(
        self, _uc: Uc, kind: int, gpa: int, size: int, _value: int, _data: object
    ) -> None:
        write = kind == UC_MEM_WRITE
        self.accesses.append((gpa, size, write))
        room = PAGE - gpa % PAGE
        self._note(gpa, min(size, room), write=write)
        if size > room:
            page = self._beyond(gpa)
            if page is not None:
                self._note(page, size - room, write=write)

    def _note(self, gpa: int, size: int, *, write: bool) -> None:
        page = gpa - gpa % PAGE
        if page in self._holes or page in self._roms:
            pieces = ((gpa, size),) if size in SIZES else tuple(_cut(gpa, size))
            self._seen += [(at, n, write) for at, n in pieces]
            return
        self.elsewhere = True
        if write:
            try:
                self.before.append((gpa, bytes(self._uc.mem_read(gpa, size))))
            except UcError:  # a page that is not lent yet: the write ends there
                return


def _cut(gpa: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a part of an access into aligned pieces that a device can be asked for."""
    while size:
        n = next(n for n in SIZES if n <= size and gpa % n == 0)
        yield gpa, n
        gpa, size = gpa + n, size - n
