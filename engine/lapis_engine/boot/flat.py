"""Flat binaries: bytes without a header, started in real mode at their first one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.boot import beside
from lapis_engine.boot.image import Blob, BootPlan, RealEntry
from lapis_engine.boot.request import without_files
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.request import BootRequest

BASE: Final = 0x1_0000
"""Where a flat binary goes when nobody says otherwise."""
MAX_SIZE: Final = 512 << 10
"""Largest flat binary, bytes: what fits below the 640 KiB mark from `BASE`."""
REAL_MODE_END: Final = 0x10_0000


def load(data: bytes, base: int = BASE, *, memory_bytes: int) -> BootPlan:
    """Plan to put `data` at `base` and start it there, CS = base / 16 and IP = 0."""
    if not data:
        raise ImageError("the flat binary is empty")
    if len(data) > MAX_SIZE:
        raise ImageError(
            f"the flat binary has {len(data)} bytes; {MAX_SIZE} is the most"
        )
    if base % 16 or not 0 <= base < REAL_MODE_END:
        raise ImageError(
            f"a flat binary cannot start at {base:#x}: real mode needs a multiple of "
            f"16 below 1 MiB"
        )
    end = base + len(data)
    if end > memory_bytes:
        raise ImageError(
            f"the flat binary needs {base:#x} to {end:#x}, but there are only "
            f"{memory_bytes:#x} bytes of memory"
        )
    return BootPlan("flat", (Blob(base, data),), RealEntry(base >> 4, 0))


def start(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start `data` where nobody said otherwise."""
    without_files(request, "a flat binary")
    plan = load(data, memory_bytes=request.memory)
    left = beside.left(request, plan.blobs)
    return replace(plan, blobs=plan.blobs + left.blobs, settles=left.settles)
