"""Ports, selector bits and item numbers of fw_cfg.

Source: QEMU documentation "QEMU Firmware Configuration (fw_cfg) Device"; the items are
those that SeaBIOS 1.16 reads.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit
from lapis_engine.devices.device import Range

SELECTOR: Final = 0x510
"""Selector, write-only, 16 bits: which item is read next, from its first byte."""

DATA: Final = 0x511
"""Data, 8 bits: the item's next byte; 0 after its end."""

PORTS: Final = (Range(SELECTOR, 2),)

WRITE_CHANNEL: Final = bit(14)
"""Selector: the item is meant to be written. Plays no part in choosing it."""

SIGNATURE: Final = 0x00
"""Item: "QEMU"."""
ID: Final = 0x01
"""Item, u32: which interfaces there are."""
RAM_SIZE: Final = 0x03
"""Item, u64: RAM in bytes."""
NOGRAPHIC: Final = 0x04
"""Item, u16: 1 when the serial port is the screen."""
NB_CPUS: Final = 0x05
"""Item, u16: processors present."""
BOOT_MENU: Final = 0x0E
"""Item, u16: 1 when a boot menu is offered ("etc/show-boot-menu" to SeaBIOS)."""
MAX_CPUS: Final = 0x0F
"""Item, u16: highest APIC id plus one."""
FILE_DIR: Final = 0x19
"""Item: u32 count, then one 64-byte entry a file, all big-endian."""
FILE_FIRST: Final = 0x20
"""Item number of the first file; the others follow."""
IRQ0_OVERRIDE: Final = 0x8002
"""Item, u32, of the x86 range 0x8000: 1 when IRQ 0 is wired to IOAPIC pin 2."""

ID_TRADITIONAL: Final = bit(0)
"""ID: selector and data ports. Bit 1, the DMA interface, stays clear."""

FILE_NAME_SIZE: Final = 56
"""Bytes of a file's name in its directory entry, its NUL included."""
