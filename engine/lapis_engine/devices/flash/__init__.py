"""Flash memory that firmware is in, and in which it keeps its variables.

It is one chip of 8 bits with the Intel command set, as QEMU gives it to OVMF
(`pflash_cfi01`), over the ROM that ends at 4 GiB. While it is in array mode the
processor reads that ROM itself; in every other mode reads come here.
"""

from __future__ import annotations

from functools import partial

from lapis_engine.devices.device import Device, Range, RegisterName
from lapis_engine.devices.flash.access import FlashAccess, hides
from lapis_engine.devices.flash.state import FlashState
from lapis_engine.errors import ConfigError
from lapis_engine.units import PAGE

END = 1 << 32
"""First address after it."""


def device(size: int) -> Device:
    """Return a flash of `size` bytes below 4 GiB; the ROM there is what it holds.

    Raises:
        ConfigError: It has no whole blocks of 4 KiB.
    """
    if size <= 0 or size % PAGE:
        raise ConfigError(f"flash of {size} bytes: whole blocks of 4 KiB are expected")
    where = Range(END - size, size)
    access = FlashAccess(where)
    return Device(
        "flash",
        FlashState(),
        access,
        mmio=(where,),
        wire=access.wire,
        hides=partial(hides, where),
        registers=(
            RegisterName(
                where.first, size, "array", "contents, commands and status", "mmio"
            ),
        ),
    )
