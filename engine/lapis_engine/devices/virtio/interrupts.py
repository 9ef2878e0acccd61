"""How a virtio device is heard: by messages of MSI-X, or by its interrupt pin.

Sources: PCI Local Bus 3.0 "MSI-X Capability and Table Structures"; VIRTIO 1.1 "Used
Buffer Notifications" of the PCI transport.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices import msi
from lapis_engine.devices.device import IntxChanged
from lapis_engine.devices.pci_function import header
from lapis_engine.devices.virtio import regs
from lapis_engine.events import Oddity

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.virtio.state import VirtioState


@dataclass(frozen=True, slots=True)
class Wires:
    """Where a device's interrupts leave, for good."""

    name: str
    slot: int
    needs_hint: bool
    """As `msi.decode` has it."""
    redirects: bool
    """As `msi.decode` has it."""


def control(state: VirtioState) -> int:
    """Return the message control of MSI-X."""
    at = regs.MSIX_CONTROL
    return int.from_bytes(state.config[at : at + 2], "little")


def has_msix(state: VirtioState) -> bool:
    """Tell whether messages take the place of the pin."""
    return bool(control(state) & regs.MSIX_ENABLE)


def vectors(state: VirtioState) -> int:
    """Return how many vectors it has."""
    return len(state.table) // regs.MSIX_ENTRY


def tell(wires: Wires, state: VirtioState, cause: int, vector: int) -> Signals:
    """Tell the driver of a used buffer or a change, by `vector` or as `cause`."""
    if not has_msix(state):
        state.isr |= cause
        return settle(wires, state)
    if vector >= vectors(state):
        return ()
    state.pending |= 1 << vector
    return send(wires, state)


def send(wires: Wires, state: VirtioState) -> Signals:
    """Send what is pending and not masked."""
    now = control(state)
    if not state.pending or not now & regs.MSIX_ENABLE or now & regs.MSIX_MASK:
        return ()
    if not header.is_master(state.config):
        return ()
    signals: Signals = ()
    for vector in range(vectors(state)):
        at = regs.MSIX_ENTRY * vector
        entry = state.table[at : at + regs.MSIX_ENTRY]
        masked = int.from_bytes(entry[12:], "little") & regs.MSIX_VECTOR_MASK
        if state.pending >> vector & 1 and not masked:
            state.pending &= ~(1 << vector)
            signals += _message(wires, vector, entry)
    return signals


def _message(wires: Wires, vector: int, entry: bytes) -> Signals:
    source = f"{wires.name} vector {vector}"
    found = msi.decode(
        int.from_bytes(entry[:8], "little"),
        int.from_bytes(entry[8:12], "little"),
        needs_hint=wires.needs_hint,
        redirects=wires.redirects,
        source=source,
    )
    if isinstance(found, str):
        return (Oddity(-1, "message of a device", f"{source}: {found}"),)
    return (found,)


def settle(wires: Wires, state: VirtioState) -> Signals:
    """Have the pin, and the status that says so, follow what is to be told."""
    state.settle_at = None
    wanted = bool(state.isr) and not has_msix(state)
    state.config = header.with_interrupt(state.config, pending=wanted)
    level = wanted and header.has_intx(state.config)
    if level == state.intx:
        return ()
    state.intx = level
    return (IntxChanged(wires.slot, 1, asserted=level),)


def holds(wires: Wires, state: VirtioState) -> tuple[IntxChanged, ...]:
    """Return INTA# of its slot while it asserts it."""
    return (IntxChanged(wires.slot, 1, asserted=True),) if state.intx else ()


# The window of MSI-X.


def read_table(state: VirtioState, offset: int, size: int) -> int:
    """Read the table or the pending bits."""
    if offset >= regs.MSIX_PENDING:
        within = 8 * (offset - regs.MSIX_PENDING)
        return state.pending >> within & (1 << 8 * size) - 1
    return int.from_bytes(state.table[offset : offset + size], "little")


def write_table(
    wires: Wires, state: VirtioState, offset: int, size: int, value: int
) -> Signals:
    """Write the table by aligned dwords or quadwords; pending bits are read-only."""
    if size < 4 or offset % size or offset + size > len(state.table):
        return ()
    data = value.to_bytes(size, "little")
    state.table = state.table[:offset] + data + state.table[offset + size :]
    return send(wires, state)
