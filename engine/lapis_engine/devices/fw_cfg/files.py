"""Files of fw_cfg that say what machine it is; SeaBIOS and OVMF look for them.

Source: QEMU `e820_add_entry`, and `acpi_pm1_cnt_init` for the sleep states.
"""

from __future__ import annotations

import struct
from typing import Final

RAM: Final = 1
"""Type of an entry of the memory map."""
ABOVE: Final = 1 << 32
"""Where memory goes on that does not fit below the devices."""
SLEEP_THERE: Final = 0x80
"""Of a sleep state: there is one. The other bits are its SLP_TYP."""
SLEEP_STATES: Final = bytes((SLEEP_THERE, 0, 0, 1, 2, SLEEP_THERE))
"""S0 to S5: on and soft off; SLP_TYP 0 is soft off, as of QEMU's PIIX4."""


def e820(below: int, above: int) -> tuple[str, bytes]:
    """Return the memory map of `below` bytes from 0 and `above` from 4 GiB, as a file.

    An entry is address, size and type, little-endian; 8, 8 and 4 bytes.
    """
    ranges = [(0, below), (ABOVE, above)]
    entries = [struct.pack("<QQI", first, size, RAM) for first, size in ranges if size]
    return "etc/e820", b"".join(entries)


def sleep_states() -> tuple[str, bytes]:
    """Return which sleep states there are, as a file."""
    return "etc/system-states", SLEEP_STATES


def boot_order(*paths: str) -> tuple[str, bytes]:
    """Return what is booted first, by Open Firmware device paths, as a file."""
    return "bootorder", "\n".join(paths).encode("ascii") + b"\0"
