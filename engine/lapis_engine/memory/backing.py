"""Host memory that costs what the guest touched.

What the system says about residency only tells where to look: a page that is not there
is a page of zeros, and so nothing of it shows in any state. Where the system says
nothing, all of it is looked at.
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL: Final = 1 << 20
"""Bytes below which looking at all of it costs less than a descriptor."""
PRIVATE: Final = {
    "flags": getattr(mmap, "MAP_PRIVATE", 0)
    | getattr(mmap, "MAP_ANONYMOUS", 0)
    | getattr(mmap, "MAP_NORESERVE", 0)
}
"""Reading an untouched page of these maps the one page of zeros that all share."""


class Backing:
    """Zero bytes of host memory at a fixed address."""

    __slots__ = ("__weakref__", "_closed", "_file", "size", "view")

    def __init__(self, size: int) -> None:
        """Ask the system for `size` bytes; raise `OSError` when it has none."""
        self.size = size
        self._file: int | None = None
        """A file in memory, whose holes are the pages that nobody touched."""
        self._closed: Callable[[], object] | None = None
        """Closes that file."""
        view = self._in_file() if size >= SMALL else None
        self.view = view or mmap.mmap(-1, size, **(PRIVATE if _is_posix() else {}))

    def _in_file(self) -> mmap.mmap | None:
        """Map a file in memory, or return None where there is no such thing."""
        if sys.platform != "linux":
            return None
        try:
            file = os.memfd_create("guest memory", os.MFD_CLOEXEC)
        except OSError:  # no descriptor left, or forbidden: it goes without
            return None
        self._closed = weakref.finalize(self, os.close, file)
        os.ftruncate(file, self.size)
        self._file = file
        return mmap.mmap(file, self.size)

    def touched(self) -> list[tuple[int, int]]:
        """Return (first, end) of each run of pages that may hold more than zeros."""
        if self._file is None or sys.platform != "linux":
            return [(0, self.size)]
        runs, at = [], 0
        while at < self.size:
            try:
                first = os.lseek(self._file, at, os.SEEK_DATA)
            except OSError:  # ENXIO: from here on there are only holes
                break
            at = os.lseek(self._file, first, os.SEEK_HOLE)
            runs.append((first, at))
        return runs

    def clear(self, at: int, size: int) -> None:
        """Make whole pages zero, and give them back if the system takes them."""
        if self._file is not None and sys.platform == "linux":
            self.view.madvise(mmap.MADV_REMOVE, at, size)
        else:
            self.view[at : at + size] = bytes(size)

    def close(self) -> None:
        """Give the memory back; whoever still looks at it gets a `ValueError`.

        No processor may run on it any more. Twice is as good as once.
        """
        with suppress(BufferError):  # somebody's view of it: it goes with that
            self.view.close()
        self._file = None
        if self._closed is not None:
            self._closed()


def _is_posix() -> bool:
    return bool(PRIVATE["flags"])
