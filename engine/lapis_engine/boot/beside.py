"""What goes into memory beside a kernel: what a BIOS leaves, and files above it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine import ram
from lapis_engine.boot import bios
from lapis_engine.boot.image import Blob
from lapis_engine.boot.memory_map import EXTENDED
from lapis_engine.boot.request import PC
from lapis_engine.errors import ImageError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.boot.request import BootRequest, Module


class Placed(NamedTuple):
    """A module in memory."""

    first: int
    """Guest-physical address, of a page."""
    end: int
    """First address after its bytes."""
    told: int
    """Guest-physical address of what the kernel is told of it, NUL-terminated."""


@dataclass(slots=True)
class Above:
    """RAM above a kernel and below 4 GiB, given out upwards by whole pages."""

    free: int
    end: int
    blobs: list[Blob] = field(default_factory=list)
    """What has been put there."""

    def put(self, what: str, data: bytes) -> int:
        """Put `data` there and return its guest-physical address.

        Raises:
            ImageError: It does not fit; `what` is its name to the user.
        """
        at, end = self.free, self.free + len(data)
        if end > self.end:
            raise ImageError(
                f"{what} has {len(data)} bytes and does not fit between {at:#x}, where "
                f"the kernel and what comes with it end, and {self.end:#x}, the end of "
                f"memory below 4 GiB"
            )
        if data:
            self.blobs.append(Blob(at, data))
        self.free = -(-end // PAGE) * PAGE
        return at


def above(kernel: Sequence[Blob], memory: int) -> Above:
    """Return the room above a kernel on a machine with `memory` bytes of RAM."""
    end = max((blob.end for blob in kernel), default=0)
    return Above(-(-max(end, EXTENDED) // PAGE) * PAGE, ram.below(memory))


def put_modules(
    room: Above, modules: Sequence[Module], tell: Callable[[Module], str]
) -> list[Placed]:
    """Put modules above a kernel, and before them what it is told of each."""
    if not modules:
        return []
    texts = [
        text(tell(module), f"what module {i} is told")
        for i, module in enumerate(modules)
    ]
    told = room.put("what the modules are told", b"".join(texts))
    placed = []
    for i, module in enumerate(modules):
        first = room.put(f"module {i}", module.data)
        placed.append(Placed(first, first + len(module.data), told))
        told += len(texts[i])
    return placed


def text(told: str, what: str) -> bytes:
    """Return a text as a kernel reads it; `what` is its name to the user."""
    if "\0" in told:
        raise ImageError(f"{what} has a NUL in it")
    return told.encode() + b"\0"


def left(request: BootRequest, others: Sequence[Blob]) -> bios.Left:
    """Return what a BIOS leaves, but for what the `others` in memory cover.

    A kernel may be linked to where a BIOS has its data: it knows that it will not find
    them.
    """
    if request.machine != PC:
        return bios.Left()
    whole = bios.left(request)
    kept = tuple(blob for blob in whole.blobs if not _is_covered(blob, others))
    has_pointer = any(blob.gpa <= whole.rsdp < blob.end for blob in kept)
    return replace(whole, blobs=kept, rsdp=whole.rsdp if has_pointer else 0)


def _is_covered(blob: Blob, others: Sequence[Blob]) -> bool:
    return any(blob.gpa < other.end and other.gpa < blob.end for other in others)
