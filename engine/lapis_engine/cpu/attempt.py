"""One instruction carried out by the processor on memory that is lent to it.

A device has no memory. To let the processor itself do what an instruction does to one,
its pages become memory for the length of that instruction, filled with what the device
was found to hold, and every access is written down.
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
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unicorn import Uc

PAGE: Final = 0x1000


class Touch(NamedTuple):
    """An access to memory, as the processor made it."""

    linear: int
    size: int
    """Bytes, at most 8; more is several accesses."""
    write: bool
    value: int
    """What is written; 0 for a read."""


class Loan:
    """Pages of memory, by guest-physical address, for the length of a `with`."""

    def __init__(
        self,
        uc: Uc,
        holes: Mapping[int, bytes],
        roms: Mapping[int, bytes],
        code: tuple[int, int],
    ) -> None:
        """Lend `holes`, and make `roms` writable; `code` is (gpa, bytes) of the code.

        Both map a page's address to its 4096 bytes; a ROM has them again afterwards.
        """
        self._uc = uc
        self._holes, self._roms = holes, roms
        self._code = code
        self._hook = 0
        self.touches: list[Touch] = []
        """Every access to memory, in order, the lent pages or others."""

    def __enter__(self) -> Loan:
        """Lend them."""
        uc = self._uc
        for gpa, content in self._holes.items():
            uc.mem_map(gpa, PAGE, UC_PROT_READ | UC_PROT_WRITE)
            uc.mem_write(gpa, content)
        for gpa in self._roms:
            uc.mem_protect(gpa, PAGE, UC_PROT_ALL)
        # Accesses are seen only by code that was translated under the hook.
        self._forget()
        kinds = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
        self._hook = uc.hook_add(kinds, self._on_touch)
        return self

    def __exit__(self, *_: object) -> None:
        """Take them back."""
        uc = self._uc
        uc.hook_del(self._hook)
        self._forget()
        for gpa in self._holes:
            uc.mem_unmap(gpa, PAGE)
        for gpa, content in self._roms.items():
            uc.mem_write(gpa, content)
            uc.mem_protect(gpa, PAGE, UC_PROT_READ | UC_PROT_EXEC)

    def _forget(self) -> None:
        gpa, size = self._code
        self._uc.ctl_remove_cache(gpa, gpa + size)

    def _on_touch(
        self, _uc: Uc, kind: int, linear: int, size: int, value: int, _data: object
    ) -> None:
        write = kind == UC_MEM_WRITE
        stored = value & ((1 << (8 * size)) - 1) if write else 0
        self.touches.append(Touch(linear, size, write, stored))
