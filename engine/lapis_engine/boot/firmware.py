"""Firmware: a ROM image that ends at 4 GiB and starts at the reset vector.

Its end also appears below 1 MiB, in RAM: what a chipset's shadowing leaves, and what
SeaBIOS unlocks before it writes there. The code at the reset vector is not looked at:
it is a jump as a rule, but the volume top file of a UEFI image, for one, may have
anything in the bytes before that.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.boot.image import Blob, BootPlan, ResetEntry
from lapis_engine.errors import ImageError

GRANULE: Final = 4 << 10
"""A firmware image is a multiple of this, bytes: an erase block of flash."""
MAX_SIZE: Final = 16 << 20
SHADOW_SIZE: Final = 128 << 10
"""How much of an image's end is seen below 1 MiB."""
BIOS_256K: Final = 256 << 10
"""An image of this size is a BIOS that is linked to 0xC_0000, and is there whole."""
SHADOW_END: Final = 0x10_0000
ROM_END: Final = 1 << 32
VECTOR_SIZE: Final = 16
"""Bytes from the reset vector, 0xFFFF_FFF0, to 4 GiB."""


def load(data: bytes) -> BootPlan:
    """Plan to start the ROM image `data` by an architectural reset."""
    size = len(data)
    if not GRANULE <= size <= MAX_SIZE or size % GRANULE:
        raise ImageError(
            f"the firmware has {size} bytes; a multiple of 4 KiB up to 16 MiB is "
            f"expected"
        )
    vector = data[-VECTOR_SIZE:]
    if vector in (bytes(VECTOR_SIZE), b"\xff" * VECTOR_SIZE):
        raise ImageError("the firmware's last 16 bytes, its reset vector, are blank")
    # Not modelled: PAM registers; the shadow is plain RAM from the start.
    shadow = data if size == BIOS_256K else data[-SHADOW_SIZE:]
    blobs = (
        Blob(SHADOW_END - len(shadow), shadow),
        Blob(ROM_END - size, data, rom=True),
    )
    return BootPlan("firmware", blobs, ResetEntry())
