"""A virtio device put together for the machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_engine.devices.device import Device, Function
from lapis_engine.devices.virtio import interrupts
from lapis_engine.devices.virtio.access import VirtioAccess, VirtioFunction
from lapis_engine.devices.virtio.names import names

if TYPE_CHECKING:
    from lapis_engine.devices.pci_function.header import Header
    from lapis_engine.devices.virtio.backend import Backend
    from lapis_engine.devices.virtio.interrupts import Wires
    from lapis_engine.devices.virtio.state import VirtioState


def assemble(
    wires: Wires,
    header: Header,
    backend: Backend,
    state: VirtioState,
    kept: frozenset[str],
) -> Device:
    """Return the device; `kept` are the fields that a reset of the machine leaves."""
    access = VirtioAccess(header, wires, backend)
    function = VirtioFunction(header, wires, access)
    return Device(
        wires.name,
        state,
        access,
        timer=access.service,
        moves=function,
        function=Function(wires.slot, 0, function),
        wire=access.service.wire,
        kept=kept,
        holds=partial(interrupts.holds, wires),
        registers_now=partial(names, header),
    )
