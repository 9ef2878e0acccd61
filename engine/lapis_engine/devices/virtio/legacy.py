"""The I/O window of virtio before 1.0.

Source: VIRTIO 1.1 "Legacy Interfaces: A Note on PCI Device Layout". Multi-byte fields
are the guest's own: little-endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lapis_engine.devices.virtio import interrupts, regs, setup
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.devices.virtio.state import VirtioState


def device_at(state: VirtioState) -> int:
    """Return the offset of what is the device's own."""
    if interrupts.has_msix(state):
        return regs.OLD_DEVICE
    return regs.OLD_CONFIG_VECTOR


def read(state: VirtioState, offset: int, size: int, features: int) -> int:
    """Read any bytes of what is before the device's own; ISR is for the caller."""
    one = setup.queue(state)
    raw = struct.pack(
        "<IIIHHHBBHH",
        features & regs.LOW,
        state.driver_features & MASK32,
        0 if one is None else one.desc // regs.OLD_PAGE & MASK32,
        0 if one is None else one.size,
        state.queue_select,
        0,
        state.status,
        state.isr,
        state.config_vector,
        regs.NO_VECTOR if one is None else one.vector,
    )
    return int.from_bytes(raw[offset : offset + size], "little")


def write(
    state: VirtioState, offset: int, size: int, value: int, features: int
) -> None:
    """Write one field by its own size; notification is for the caller."""
    one = setup.queue(state)
    match offset, size:
        case regs.OLD_DRIVER_FEATURES, 4:
            setup.set_features(state, 0, value & features)
        case regs.OLD_QUEUE_PAGE, 4:
            if one is not None:
                setup.place(one, value)
        case regs.OLD_QUEUE_SELECT, 2:
            state.queue_select = value
        case regs.OLD_STATUS, 1:
            setup.set_status(state, value, features)
        case regs.OLD_CONFIG_VECTOR, 2:
            state.config_vector = setup.vector(state, value)
        case regs.OLD_QUEUE_VECTOR, 2:
            if one is not None:
                one.vector = setup.vector(state, value)
        case _:
            pass
