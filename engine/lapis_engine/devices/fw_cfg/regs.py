"""Ports, selector bits and item numbers of fw_cfg.

Source: QEMU documentation "QEMU Firmware Configuration (fw_cfg) Device"; the items are
those that SeaBIOS 1.16 reads.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

SELECTOR: Final = 0x510
"""Selector, write-only, 16 bits: which item is read next, from its first byte."""

DATA: Final = 0x511
"""Data, 8 bits: the item's next byte; 0 after its end."""

PORTS: Final = (Range(SELECTOR, 2),)

DMA_HIGH: Final = 0x514
"""Address of a request, the upper half, 32 bits and big-endian."""
DMA_LOW: Final = 0x518
"""The lower half; it begins the request."""
DMA_PORTS: Final = (*PORTS, Range(DMA_HIGH, 8))
DMA_SIGNATURE: Final = b"QEMU CFG"
"""What is read of the address, byte by byte."""

REQUEST_SIZE: Final = 16
"""Bytes of a request: control, length and address, big-endian; 4, 4 and 8 bytes."""
ERROR: Final = bit(0)
"""Control, set by the device: it did not work. All of control is 0 when it did."""
READ: Final = bit(1)
"""Control: copy of the item to memory, zeros after its end."""
SKIP: Final = bit(2)
"""Control: go on in the item."""
SELECT: Final = bit(3)
"""Control: select first the item of `SELECTED`."""
WRITE: Final = bit(4)
"""Control: copy of memory to the item. READ goes before it, and it before SKIP."""
SELECTED: Final = bits(31, 16)
"""Control: an item, as the selector takes it."""

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
"""ID: selector and data ports."""
ID_DMA: Final = bit(1)
"""ID: the DMA interface, too."""

FILE_NAME_SIZE: Final = 56
"""Bytes of a file's name in its directory entry, its NUL included."""

NAMES: Final = (
    RegisterName(DATA, 1, "fw_cfg data", "the next byte of the item"),
    RegisterName(SELECTOR, 2, "fw_cfg selector", "the item that is read next"),
    RegisterName(DMA_HIGH, 4, "fw_cfg DMA high", "address of a request, upper half"),
    RegisterName(DMA_LOW, 4, "fw_cfg DMA low", "the lower half; begins the request"),
)
