"""What a virtio device remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lapis_engine.devices.virtio import regs


@dataclass(slots=True)
class QueueState:
    """One virtqueue; reset values are the defaults."""

    size: int = regs.QUEUE_MAX
    """Descriptors."""
    enabled: bool = False
    vector: int = regs.NO_VECTOR
    desc: int = 0
    """Guest-physical address of the descriptors."""
    driver: int = 0
    """That of the available ring."""
    device: int = 0
    """That of the used ring."""
    taken: int = 0
    """Requests taken from the available ring, 16 bits."""
    used: int = 0
    """Requests given back by the used ring, 16 bits."""


MASKED: Final = bytes(12) + int(regs.MSIX_VECTOR_MASK).to_bytes(4, "little")
"""A vector after reset."""
VECTORS: Final = 2
"""One for the configuration, and one for the queue."""


def _queues() -> tuple[QueueState, ...]:
    return (QueueState(),)


@dataclass(slots=True)
class VirtioState:
    """A device with one queue; reset values are the defaults."""

    config: bytes = b""
    """Configuration space of PCI; each device has its own."""
    status: int = 0
    device_select: int = 0
    """Which 32 features of the device are read."""
    driver_select: int = 0
    driver_features: int = 0
    config_vector: int = regs.NO_VECTOR
    queue_select: int = 0
    queues: tuple[QueueState, ...] = field(default_factory=_queues)
    isr: int = 0
    intx: bool = False
    """It asserts its interrupt pin."""
    table: bytes = MASKED * VECTORS
    """Of MSI-X."""
    pending: int = 0
    """Vectors that are to be sent when they are no longer masked, a bit each."""
    kicked: int = 0
    """Queues that the driver has notified of, a bit each."""
    due: int | None = None
    """ns of virtual time at which these are looked at."""
    settle_at: int | None = None
    """ns at which the interrupt pin follows what a read has changed."""
