"""What a driver sets up: status, features and queues, by either interface.

Source: VIRTIO 1.1 "Device Initialization", "Common configuration structure layout" and
"Legacy Interfaces: A Note on PCI Device Layout".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.virtio import interrupts, regs
from lapis_engine.devices.virtio.state import QueueState

if TYPE_CHECKING:
    from lapis_engine.devices.virtio.state import VirtioState


def reset(state: VirtioState) -> None:
    """Be as after power-on, but for PCI's own configuration and the MSI-X table."""
    state.status = state.isr = state.pending = state.kicked = 0
    state.device_select = state.driver_select = state.driver_features = 0
    state.config_vector, state.queue_select = regs.NO_VECTOR, 0
    state.queues = tuple(QueueState() for _ in state.queues)
    state.due = None


def set_status(state: VirtioState, value: int, features: int) -> None:
    """Take the status; 0 resets.

    FEATURES_OK does not stay when the driver wants what is not offered, or is not of
    1.0: it is one of 1.0 that sets it.
    """
    if not value:
        reset(state)
        return
    wanted = state.driver_features
    is_fine = not wanted & ~features and wanted & regs.VERSION_1
    if not state.status & regs.FEATURES_OK and not is_fine:
        value &= ~regs.FEATURES_OK
    state.status = value & ~regs.NEEDS_RESET | state.status & regs.NEEDS_RESET


def set_features(state: VirtioState, shift: int, value: int) -> None:
    """Take 32 features that the driver wants, until it has settled them."""
    if not state.status & (regs.FEATURES_OK | regs.DRIVER_OK):
        mask = int(regs.LOW) << shift
        state.driver_features = state.driver_features & ~mask | value << shift


def queue(state: VirtioState) -> QueueState | None:
    """Return the queue that is selected, or None."""
    if state.queue_select < len(state.queues):
        return state.queues[state.queue_select]
    return None


def vector(state: VirtioState, value: int) -> int:
    """Return the vector that is taken for `value`: none, where there is no such one."""
    return value if value < interrupts.vectors(state) else regs.NO_VECTOR


def set_size(one: QueueState, value: int) -> None:
    """Take a queue's size, a power of two up to the greatest, before it is enabled."""
    if not one.enabled and 0 < value <= regs.QUEUE_MAX and not value & value - 1:
        one.size = value


def place(one: QueueState, page: int) -> None:
    """Put a queue where an old driver wants it, or take it away with page 0.

    Its rings follow each other, the used one on a page of its own.
    """
    one.desc = page * regs.OLD_PAGE
    one.driver = one.desc + regs.DESC_SIZE * one.size
    end = one.driver + 2 * (3 + one.size)
    one.device = -(-end // regs.OLD_PAGE) * regs.OLD_PAGE
    one.enabled = page != 0
    one.taken = one.used = 0
