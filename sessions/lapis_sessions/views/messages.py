"""Messages that functions on PCI and the HPET are set up to send, and whom they reach.

PCI Local Bus 3.0 "MSI Capability Structure", "MSI-X Capability and Table Structures".
The table of MSI-X is a device's own, and known of ours alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.devices import msi
from lapis_engine.devices.hpet import regs as hpet_regs
from lapis_engine.devices.hpet.state import HpetState
from lapis_engine.devices.pci_function import header
from lapis_engine.devices.pci_function import regs as pci_regs
from lapis_engine.devices.virtio import interrupts
from lapis_engine.devices.virtio import regs as virtio_regs
from lapis_engine.devices.virtio.state import VirtioState
from lapis_engine.units import MASK32
from lapis_engine.why import recipients
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.machine import Machine

MSI: Final = 0x05
"""Capability id."""
MSI_ENABLE: Final = 1 << 0
MSI_64: Final = 1 << 7
MSI_MASKS: Final = 1 << 8
"""Message control of MSI: it is on; its address has 64 bits; each vector has a mask."""
MOST_CAPABILITIES: Final = 48
"""As many as 256 bytes have room for: a list that is longer goes in a circle."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message that somebody is set up to send."""

    name: str
    """Device, and its number among the device's messages."""
    place: str
    """On the PCI bus: 00:04.0; or nothing."""
    kind: str
    """msi-x, msi or hpet."""
    users: tuple[str, ...]
    """What the device tells by it: queue 0, configuration."""
    address: int
    data: int
    mode: str
    """Delivery mode; or invalid."""
    vector: int
    level: bool
    destination: str | None
    """Whom it names, in words; None of an address that is no message's."""
    reaches: tuple[int, ...]
    """vCPUs that have that destination now, ascending."""
    masked: bool
    pending: bool
    """It is to be sent when nothing bars it any more."""
    reasons: tuple[Reason, ...]
    """What stands in its way now, the nearest to the device first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One message as its registers have it."""

    name: str
    kind: str
    address: int
    data: int
    masked: bool
    pending: bool
    bars: tuple[Reason, ...]
    users: tuple[str, ...] = ()


def of(machine: Machine) -> tuple[MessageRow, ...]:
    """Return all messages: devices in the order of the machine."""
    return tuple(
        _row(machine, device, entry)
        for device in machine.vm.devices
        for entry in _entries(device)
    )


def _entries(device: Device) -> Iterator[_Entry]:
    state = getattr(device.state, "inner", device.state)  # of a plug-in, guarded
    if isinstance(state, HpetState):
        yield from _hpet(state)
    elif isinstance(state, VirtioState):
        yield from _virtio(device.name, state)
    if device.function is not None:
        yield from _msi(device.name, _config(state))


def _row(machine: Machine, device: Device, entry: _Entry) -> MessageRow:
    where, profile = device.function, machine.config.profile
    place = "" if where is None else f"00:{where.slot:02x}.{where.number}"
    found = msi.decode(
        entry.address,
        entry.data,
        needs_hint=profile.msi_needs_hint,
        redirects=profile.msi_hint_redirects,
        source=entry.name,
    )
    bars = entry.bars
    mode, level = "invalid", False
    destination: str | None = None
    reaches: tuple[int, ...] = ()
    if isinstance(found, str):
        bars += (blocks("not-message", found, address=entry.address),)
    else:
        way = recipients.reach(machine, found)
        mode, level, reaches = found.mode, found.level, way.vcpus
        destination = recipients.destination(found)
        bars += way.reasons
    return MessageRow(
        name=entry.name, place=place, kind=entry.kind, users=entry.users,
        address=entry.address, data=entry.data, mode=mode,
        vector=msi.VECTOR.get(entry.data), level=level,
        destination=destination, reaches=reaches, masked=entry.masked,
        pending=entry.pending, reasons=bars,
    )  # fmt: skip


def _hpet(state: HpetState) -> Iterator[_Entry]:
    for number, timer in enumerate(state.timers):
        if not timer.fsb and not timer.config & hpet_regs.FSB:
            continue
        bars = []
        if not timer.config & hpet_regs.FSB:
            text = "the timer's interrupt is a line, and no message (Tn_FSB_EN_CNF)"
            bars.append(blocks("msi-off", text, config=timer.config))
        is_on = bool(timer.config & hpet_regs.INTERRUPTS)
        if not is_on:
            text = "the timer's interrupt is not enabled (Tn_INT_ENB_CNF)"
            bars.append(blocks("timer-off", text, config=timer.config))
        yield _Entry(
            name=f"hpet timer {number}",
            kind="hpet",
            address=timer.fsb >> 32,
            data=timer.fsb & MASK32,
            masked=not is_on,
            pending=False,
            bars=tuple(bars),
        )


def _master(config: bytes) -> tuple[Reason, ...]:
    if header.is_master(config):
        return ()
    command = header.command(config)
    text = "it may not be a bus master (command bit 2), and sends no message"
    return (blocks("not-master", text, command=command),)


def _virtio(name: str, state: VirtioState) -> Iterator[_Entry]:
    control = interrupts.control(state)
    whole = _master(state.config)
    if not interrupts.has_msix(state):
        text = "MSI-X is off, and its pin is used (message control bit 15)"
        whole = (blocks("msi-off", text, control=control), *whole)
    if control & virtio_regs.MSIX_MASK:
        text = "all its vectors are masked (message control bit 14)"
        whole += (blocks("function-mask", text, control=control),)
    for vector in range(interrupts.vectors(state)):
        at = virtio_regs.MSIX_ENTRY * vector
        entry = state.table[at : at + virtio_regs.MSIX_ENTRY]
        mask = int.from_bytes(entry[12:], "little") & virtio_regs.MSIX_VECTOR_MASK
        text = "its vector control masks it (bit 0)"
        own = (blocks("vector-mask", text, vector=vector),) if mask else ()
        yield _Entry(
            name=f"{name} vector {vector}",
            kind="msi-x",
            address=int.from_bytes(entry[:8], "little"),
            data=int.from_bytes(entry[8:12], "little"),
            masked=bool(mask or control & virtio_regs.MSIX_MASK),
            pending=bool(state.pending >> vector & 1),
            bars=whole + own,
            users=_users(state, vector),
        )


def _users(state: VirtioState, vector: int) -> tuple[str, ...]:
    queues = [f"queue {n}" for n, q in enumerate(state.queues) if q.vector == vector]
    return tuple((["configuration"] * (state.config_vector == vector)) + queues)


def _config(state: Any) -> Any:
    """Return what a state has as its field `config`, and run nothing of its own."""
    is_field = any(each.name == "config" for each in fields(state))
    return getattr(state, "config", None) if is_field else None


def _msi(name: str, config: Any) -> Iterator[_Entry]:
    """Yield the messages of the MSI capabilities of a configuration space."""
    if not isinstance(config, bytes) or len(config) < pci_regs.SIZE:
        return  # a plug-in's own way to keep it
    for at in _capabilities(config, MSI):
        control = _word(config, at + 2, 2)
        wide = 4 if control & MSI_64 else 0
        masks = _word(config, at + 12 + wide, 4) if control & MSI_MASKS else 0
        waiting = _word(config, at + 16 + wide, 4) if control & MSI_MASKS else 0
        whole = _master(config)
        if not control & MSI_ENABLE:
            text = "MSI is off, and its pin is used (message control bit 0)"
            whole = (blocks("msi-off", text, control=control), *whole)
        address = _word(config, at + 4, 4 + wide)
        data = _word(config, at + 8 + wide, 2)
        count = 1 << min(control >> 4 & 7, 5)
        for number in range(count):
            masked = bool(masks >> number & 1)
            own = (blocks("vector-mask", "its mask bit is set", mask=masks),)
            yield _Entry(
                f"{name} message {number}", "msi", address,
                data & ~(count - 1) | number, masked,
                bool(waiting >> number & 1), whole + (own if masked else ()),
            )  # fmt: skip


def _capabilities(config: bytes, wanted: int) -> Iterator[int]:
    """Yield where the capabilities of an id are; a list in a circle ends."""
    if not config[pci_regs.STATUS] & pci_regs.STATUS_CAPABILITIES:
        return
    at = config[pci_regs.CAPABILITIES] & ~3
    for _ in range(MOST_CAPABILITIES):
        if at < pci_regs.OWN:
            return
        if config[at] == wanted:
            yield at
        at = config[at + 1] & ~3


def _word(config: bytes, at: int, size: int) -> int:
    return int.from_bytes(config[at : at + size], "little")


def text(rows: Sequence[MessageRow]) -> str:
    """Return the messages, two lines each."""
    if not rows:
        return "nothing here sends messages: no function on PCI, and no HPET"
    return "\n".join(line(row) for row in rows)


def line(row: MessageRow) -> str:
    """Return one message on two lines: what, and whom it reaches or why not."""
    trigger = "level" if row.level else "edge"
    about = " ".join(filter(None, (row.place, row.kind, *row.users)))
    head = (
        f"{row.name}  {about}  address {row.address:#x} data {row.data:#x}  "
        f"{row.mode} vector {row.vector:#04x} {trigger}"
        + ("  pending" if row.pending else "")
    )
    told = [reason.text for reason in row.reasons]
    if row.destination is not None:
        names = ", ".join(f"vCPU {number}" for number in row.reaches) or "nobody"
        told.insert(0, f"to {row.destination}: {names}")
    return f"{head}\n    {'; '.join(told)}"
