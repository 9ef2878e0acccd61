"""Where the registers of a virtio device on PCI are, and what is in them.

Source: VIRTIO 1.1 "Virtio Over PCI Bus", "Device Status Field", "Feature Bits" and
"Split Virtqueues".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import Bits, bit, bits

VENDOR: Final = 0x1AF4
TRANSITIONAL: Final = 0x1000
"""First of the device ids of transitional devices."""

IO_BAR: Final = 0
MSIX_BAR: Final = 1
MODERN_BAR: Final = 4
"""Two of them: it has 64-bit addresses."""

COMMON: Final = 0x0000
"""Offset of the common configuration in the modern window."""
ISR: Final = 0x1000
DEVICE: Final = 0x2000
NOTIFY: Final = 0x3000
MODERN_SIZE: Final = 0x4000
PART_SIZE: Final = 0x1000
"""Bytes that each of the four has."""
NOTIFY_STEP: Final = 4
"""Bytes between the notify registers of two queues."""

# Common configuration, offsets.
DEVICE_FEATURE_SELECT: Final = 0x00
DEVICE_FEATURE: Final = 0x04
DRIVER_FEATURE_SELECT: Final = 0x08
DRIVER_FEATURE: Final = 0x0C
CONFIG_VECTOR: Final = 0x10
DEVICE_STATUS: Final = 0x14
QUEUE_SELECT: Final = 0x16
QUEUE_SIZE: Final = 0x18
QUEUE_VECTOR: Final = 0x1A
QUEUE_ENABLE: Final = 0x1C
QUEUE_DESC: Final = 0x20
QUEUE_DRIVER: Final = 0x28
QUEUE_DEVICE: Final = 0x30
COMMON_SIZE: Final = 0x38

# The I/O window of before, offsets.
OLD_DEVICE_FEATURES: Final = 0x00
OLD_DRIVER_FEATURES: Final = 0x04
OLD_QUEUE_PAGE: Final = 0x08
OLD_QUEUE_SIZE: Final = 0x0C
OLD_QUEUE_SELECT: Final = 0x0E
OLD_QUEUE_NOTIFY: Final = 0x10
OLD_STATUS: Final = 0x12
OLD_ISR: Final = 0x13
OLD_CONFIG_VECTOR: Final = 0x14
"""This and the next are there while MSI-X is enabled; what is the device's own follows
them, or is in their place."""
OLD_QUEUE_VECTOR: Final = 0x16
OLD_DEVICE: Final = 0x18
OLD_PAGE: Final = 0x1000
"""Bytes by which queues are placed there, and the used ring in them."""

NO_VECTOR: Final = 0xFFFF

ISR_QUEUE: Final = bit(0)
"""ISR: a queue has used buffers."""
ISR_CONFIG: Final = bit(1)
"""ISR: the configuration, or the status, has changed."""

ACKNOWLEDGE: Final = bit(0)
DRIVER: Final = bit(1)
DRIVER_OK: Final = bit(2)
FEATURES_OK: Final = bit(3)
NEEDS_RESET: Final = bit(6)
"""Status: the device has met something from which it cannot go on."""
FAILED: Final = bit(7)

ANY_LAYOUT: Final = bit(27)
"""Feature: the framing of requests is free."""
INDIRECT_DESC: Final = bit(28)
EVENT_IDX: Final = bit(29)
VERSION_1: Final = bit(32)
OFFERED: Final = ANY_LAYOUT | INDIRECT_DESC | EVENT_IDX | VERSION_1
LOW: Final = bits(31, 0)
"""The features that drivers of before know."""

QUEUE_MAX: Final = 128
"""Descriptors of a queue."""
DESC_SIZE: Final = 16
NEXT: Final = bit(0)
"""Descriptor: the chain goes on."""
WRITE: Final = bit(1)
"""Descriptor: the device writes it."""
INDIRECT: Final = bit(2)
"""Descriptor: it is a table of descriptors."""
NO_INTERRUPT: Final = bit(0)
"""Flags of the available ring: used buffers are not to be told of."""

# Capabilities.
VENDOR_CAPABILITY: Final = 0x09
CAP_COMMON: Final = 1
CAP_NOTIFY: Final = 2
CAP_ISR: Final = 3
CAP_DEVICE: Final = 4
CAP_PCI: Final = 5
"""By it configuration space reaches the windows."""
MSIX_CAPABILITY: Final = 0x11
MSIX_AT: Final = 0x98
PCI_CAP_AT: Final = 0x84
PCI_CAP_BAR: Final = PCI_CAP_AT + 4
PCI_CAP_OFFSET: Final = PCI_CAP_AT + 8
PCI_CAP_LENGTH: Final = PCI_CAP_AT + 12
PCI_CAP_DATA: Final = PCI_CAP_AT + 16

MSIX_CONTROL: Final = MSIX_AT + 2
MSIX_ENABLE: Final = bit(15)
"""Message control: messages, and no interrupt pin."""
MSIX_MASK: Final = bit(14)
"""Message control: all vectors are masked."""
MSIX_ENTRY: Final = 16
"""Bytes of a vector in the table: address, data and control; 8, 4 and 4 bytes."""
MSIX_VECTOR_MASK: Final[Bits] = bit(0)
"""Vector control: it is masked."""
MSIX_PENDING: Final = 0x800
"""Offset of the pending bits in the window of MSI-X."""
MSIX_SIZE: Final = 0x1000
