"""Firmware: a ROM image that ends at 4 GiB and starts at the reset vector.

Its last 128 KiB also appear below 1 MiB, in RAM: what a chipset's shadowing leaves,
and what SeaBIOS unlocks before it writes there.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.boot.image import Blob, BootPlan, ResetEntry
from lapis_engine.errors import ImageError

GRANULE: Final = 64 << 10
"""A firmware image is a multiple of this, bytes."""
MAX_SIZE: Final = 16 << 20
SHADOW_SIZE: Final = 128 << 10
SHADOW_END: Final = 0x10_0000
ROM_END: Final = 1 << 32
VECTOR_SIZE: Final = 16
"""Bytes from the reset vector, 0xFFFF_FFF0, to 4 GiB."""

NOP: Final = b"\x90"
JUMPS: Final = (b"\xea", b"\xe9")
"""JMP ptr16:16 and JMP rel16, one of which a reset vector must hold."""


def load(data: bytes) -> BootPlan:
    """Plan to start the ROM image `data` by an architectural reset."""
    size = len(data)
    if not GRANULE <= size <= MAX_SIZE or size % GRANULE:
        raise ImageError(
            f"the firmware has {size} bytes; a multiple of 64 KiB up to 16 MiB is "
            f"expected"
        )
    vector = data[-VECTOR_SIZE:]
    if vector in (bytes(VECTOR_SIZE), b"\xff" * VECTOR_SIZE):
        raise ImageError("the firmware's last 16 bytes, its reset vector, are blank")
    if vector.lstrip(NOP)[:1] not in JUMPS:
        raise ImageError(
            f"the firmware's reset vector starts with {vector[0]:#04x}, which is not "
            f"a jump (0xea or 0xe9)"
        )
    # Not modelled: PAM registers; the shadow is plain RAM from the start.
    shadow = data[-SHADOW_SIZE:]
    blobs = (
        Blob(SHADOW_END - len(shadow), shadow),
        Blob(ROM_END - size, data, rom=True),
    )
    return BootPlan("firmware", blobs, ResetEntry())
