"""What the windows of a virtio device have in them, by name, wherever they are.

Source: VIRTIO 1.1 "Common configuration structure layout", "Legacy Interfaces: A Note
on PCI Device Layout".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.device import RegisterName
from lapis_engine.devices.virtio import interrupts, regs
from lapis_engine.devices.virtio.state import VECTORS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.devices.device import Space
    from lapis_engine.devices.pci_function.header import Header
    from lapis_engine.devices.virtio.state import VirtioState

    Row = tuple[int, int, str, str]
    """Offset in the window, bytes, name, text."""

OLD: Final[tuple[Row, ...]] = (
    (regs.OLD_DEVICE_FEATURES, 4, "device_features", "what the device offers"),
    (regs.OLD_DRIVER_FEATURES, 4, "driver_features", "what the driver takes"),
    (regs.OLD_QUEUE_PAGE, 4, "queue_address", "page of the chosen queue"),
    (regs.OLD_QUEUE_SIZE, 2, "queue_size", "descriptors of the chosen queue"),
    (regs.OLD_QUEUE_SELECT, 2, "queue_select", "which queue is meant"),
    (regs.OLD_QUEUE_NOTIFY, 2, "queue_notify", "there is work in this queue"),
    (regs.OLD_STATUS, 1, "device_status", "how far the driver has come"),
    (regs.OLD_ISR, 1, "isr_status", "why it interrupts; cleared when read"),
)
OLD_MSIX: Final[tuple[Row, ...]] = (
    (regs.OLD_CONFIG_VECTOR, 2, "config_msix_vector", "of changes of configuration"),
    (regs.OLD_QUEUE_VECTOR, 2, "queue_msix_vector", "of the chosen queue"),
)
COMMON: Final[tuple[Row, ...]] = (
    (regs.DEVICE_FEATURE_SELECT, 4, "device_feature_select", "which half is read"),
    (regs.DEVICE_FEATURE, 4, "device_feature", "what the device offers"),
    (regs.DRIVER_FEATURE_SELECT, 4, "driver_feature_select", "which half is written"),
    (regs.DRIVER_FEATURE, 4, "driver_feature", "what the driver takes"),
    (regs.CONFIG_VECTOR, 2, "config_msix_vector", "of changes of configuration"),
    (regs.CONFIG_VECTOR + 2, 2, "num_queues", "queues that there are"),
    (regs.DEVICE_STATUS, 1, "device_status", "how far the driver has come"),
    (regs.DEVICE_STATUS + 1, 1, "config_generation", "changes with the configuration"),
    (regs.QUEUE_SELECT, 2, "queue_select", "which queue is meant"),
    (regs.QUEUE_SIZE, 2, "queue_size", "descriptors of the chosen queue"),
    (regs.QUEUE_VECTOR, 2, "queue_msix_vector", "of the chosen queue"),
    (regs.QUEUE_ENABLE, 2, "queue_enable", "whether the chosen queue is in use"),
    (regs.QUEUE_ENABLE + 2, 2, "queue_notify_off", "where the chosen one is notified"),
    (regs.QUEUE_DESC, 8, "queue_desc", "address of the descriptors"),
    (regs.QUEUE_DRIVER, 8, "queue_driver", "address of the available ring"),
    (regs.QUEUE_DEVICE, 8, "queue_device", "address of the used ring"),
)
ENTRY: Final[tuple[Row, ...]] = (
    (0, 8, "address", "where its message goes"),
    (8, 4, "data", "what the message is"),
    (12, 4, "control", "whether it is masked"),
)


def names(header: Header, state: VirtioState) -> tuple[RegisterName, ...]:
    """Return the names of what is in the windows of a device at present."""
    found: list[RegisterName] = []
    where = header.window(state.config, regs.IO_BAR)
    if where is not None:
        found += _at(where.first, _old(state), "port")
        own = interrupts.has_msix(state)
        at = regs.OLD_DEVICE if own else regs.OLD_CONFIG_VECTOR
        row = (at, where.size - at, "device config", "what is the device's own")
        found += _at(where.first, (row,), "port")
    where = header.window(state.config, regs.MODERN_BAR)
    if where is not None:
        found += _at(where.first, _modern(state), "mmio")
    where = header.window(state.config, regs.MSIX_BAR)
    if where is not None:
        found += _at(where.first, _table(), "mmio")
    return tuple(found)


def _at(first: int, rows: Iterable[Row], space: Space) -> Iterable[RegisterName]:
    for offset, size, name, text in rows:
        yield RegisterName(first + offset, size, name, text, space)


def _old(state: VirtioState) -> tuple[Row, ...]:
    return (*OLD, *OLD_MSIX) if interrupts.has_msix(state) else OLD


def _modern(state: VirtioState) -> tuple[Row, ...]:
    notify = tuple(
        (
            regs.NOTIFY + n * regs.NOTIFY_STEP, regs.NOTIFY_STEP,
            f"notify queue {n}", "there is work in this queue",
        )
        for n in range(len(state.queues))
    )  # fmt: skip
    return (
        *COMMON,  # at offset 0
        (regs.ISR, 1, "isr_status", "why it interrupts; cleared when read"),
        (regs.DEVICE, regs.PART_SIZE, "device config", "what is the device's own"),
        *notify,
    )


def _table() -> tuple[Row, ...]:
    rows = tuple(
        (n * regs.MSIX_ENTRY + offset, size, f"MSI-X {n} {name}", text)
        for n in range(VECTORS)
        for offset, size, name, text in ENTRY
    )
    return (*rows, (regs.MSIX_PENDING, 8, "MSI-X pending", "messages held back"))
