"""The common configuration structure of virtio 1.0.

Source: VIRTIO 1.1 "Common configuration structure layout".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lapis_engine.devices.virtio import regs, setup
from lapis_engine.units import MASK32, MASK64

if TYPE_CHECKING:
    from lapis_engine.devices.virtio.state import QueueState, VirtioState

RINGS = {
    regs.QUEUE_DESC: "desc",
    regs.QUEUE_DRIVER: "driver",
    regs.QUEUE_DEVICE: "device",
}


def read(state: VirtioState, offset: int, size: int, features: int) -> int:
    """Read any bytes of it."""
    raw = _structure(state, features)[offset : offset + size]
    return int.from_bytes(raw, "little")


def _structure(state: VirtioState, features: int) -> bytes:
    head = struct.pack(
        "<IIIIHHBBH",
        state.device_select,
        _chosen(features, state.device_select),
        state.driver_select,
        _chosen(state.driver_features, state.driver_select),
        state.config_vector,
        len(state.queues),
        state.status,
        0,  # the configuration never changes
        state.queue_select,
    )
    one = setup.queue(state)
    if one is None:
        return head + bytes(regs.COMMON_SIZE - len(head))
    return head + struct.pack(
        "<HHHHQQQ",
        one.size,
        one.vector,
        one.enabled,
        state.queue_select,  # times NOTIFY_STEP this is its notify register
        one.desc,
        one.driver,
        one.device,
    )


def _chosen(features: int, select: int) -> int:
    return features >> 32 * select & MASK32 if select < 2 else 0


def write(
    state: VirtioState, offset: int, size: int, value: int, features: int
) -> None:
    """Write one field by its own size, or half of an address."""
    match offset, size:
        case regs.DEVICE_FEATURE_SELECT, 4:
            state.device_select = value
        case regs.DRIVER_FEATURE_SELECT, 4:
            state.driver_select = value
        case regs.DRIVER_FEATURE, 4:
            if state.driver_select < 2:
                setup.set_features(state, 32 * state.driver_select, value)
        case regs.CONFIG_VECTOR, 2:
            state.config_vector = setup.vector(state, value)
        case regs.DEVICE_STATUS, 1:
            setup.set_status(state, value, features)
        case regs.QUEUE_SELECT, 2:
            state.queue_select = value
        case _:
            one = setup.queue(state)
            if one is not None:
                _write_queue(state, one, offset, size, value)


def _write_queue(
    state: VirtioState, one: QueueState, offset: int, size: int, value: int
) -> None:
    match offset, size:
        case regs.QUEUE_SIZE, 2:
            setup.set_size(one, value)
        case regs.QUEUE_VECTOR, 2:
            one.vector = setup.vector(state, value)
        case regs.QUEUE_ENABLE, 2:
            one.enabled |= value == 1
        case _, 4 | 8 if not one.enabled:
            _write_ring(one, offset, size, value)
        case _:
            pass


def _write_ring(one: QueueState, offset: int, size: int, value: int) -> None:
    """Take the address of a ring, or half of one."""
    name = RINGS.get(offset & ~7)
    if name is None or offset % size:
        return
    shift = 8 * (offset & 7)
    kept = MASK64 & ~((1 << 8 * size) - 1 << shift)
    setattr(one, name, getattr(one, name) & kept | value << shift)
