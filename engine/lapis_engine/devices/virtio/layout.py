"""The configuration space of a virtio device: windows and capabilities.

Source: VIRTIO 1.1 "PCI Device Layout" and "Virtio Structure PCI Capabilities".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lapis_engine.devices.pci_function.bar import Bar
from lapis_engine.devices.pci_function.layout import Capability, make
from lapis_engine.devices.virtio import regs
from lapis_engine.devices.virtio.state import VECTORS

if TYPE_CHECKING:
    from lapis_engine.devices.pci_function.header import Header


def header(kind: int, class_code: int, io_size: int) -> Header:
    """Return the header of a transitional device.

    Args:
        kind: Its virtio device id, 2 for a disk; PCI has another one for it.
        class_code: As PCI has it.
        io_size: Bytes of its I/O window.
    """
    pci_ids = {2: regs.TRANSITIONAL + 1, 4: regs.TRANSITIONAL + 5}
    return make(
        regs.VENDOR,
        pci_ids[kind],
        class_code=class_code,
        subsystem_vendor=regs.VENDOR,
        subsystem=kind,
        pin=1,
        bars=(
            Bar(regs.IO_BAR, "io", io_size),
            Bar(regs.MSIX_BAR, "memory", regs.MSIX_SIZE),
            Bar(regs.MODERN_BAR, "memory64", regs.MODERN_SIZE, prefetchable=True),
        ),
        capabilities=(_msix(), *_structures()),
    )


def _msix() -> Capability:
    """Return the capability of MSI-X; of message control two bits can be written."""
    table = regs.MSIX_BAR
    body = struct.pack("<HII", VECTORS - 1, table, table | regs.MSIX_PENDING)
    writable = int(regs.MSIX_ENABLE | regs.MSIX_MASK).to_bytes(2, "little")
    return Capability(regs.MSIX_AT, regs.MSIX_CAPABILITY, body, writable)


def _structures() -> list[Capability]:
    step = regs.NOTIFY_STEP.to_bytes(4, "little")
    pci = Capability(
        regs.PCI_CAP_AT,
        regs.VENDOR_CAPABILITY,
        bytes((20, regs.CAP_PCI)) + bytes(16),
        bytes((0, 0, 0xFF, 0, 0, 0)) + b"\xff" * 12,
    )
    return [
        _structure(0x40, regs.CAP_COMMON, regs.COMMON, regs.COMMON_SIZE),
        _structure(0x50, regs.CAP_ISR, regs.ISR, 1),
        _structure(0x60, regs.CAP_DEVICE, regs.DEVICE, regs.PART_SIZE),
        _structure(0x70, regs.CAP_NOTIFY, regs.NOTIFY, regs.PART_SIZE, step),
        pci,
    ]


def _structure(
    at: int, kind: int, offset: int, size: int, more: bytes = b""
) -> Capability:
    """Return the capability that says where a structure is in the modern window."""
    length = 16 + len(more)
    body = struct.pack("<BBB3xII", length, kind, regs.MODERN_BAR, offset, size) + more
    return Capability(at, regs.VENDOR_CAPABILITY, body)
